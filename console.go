package dcvix

// A HostHistory is the last hour of a host as it reported it.
type HostHistory struct {
	ServerID    Hostname      `json:"serverId"`
	Begin       Time          `json:"begin"`       // of the first step
	StepSeconds int           `json:"stepSeconds"` // 60
	Samples     []*HostSample `json:"samples"`     // one a step, 60 of them, nil where no report came; the last step goes on
}

// A HostSample is what a host last said within one step of its [HostHistory].
// Percents are 0 to 100, and nil when they are not known.
type HostSample struct {
	CPU         float64  `json:"cpu"` // percent of all cores
	Memory      *float64 `json:"memory,omitempty"`
	GPU         *float64 `json:"gpu,omitempty"`       // mean of all cards
	GPUMemory   *float64 `json:"gpuMemory,omitempty"` // of all cards together
	Load        float64  `json:"load"`                // of one minute
	Sessions    int      `json:"sessions"`
	Connections int      `json:"connections"` // clients of all sessions
}
