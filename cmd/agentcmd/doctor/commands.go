package doctor

import "runtime"

// The commands of remedies, for this system. The names of DCV's
// services are those of the Administrator Guide.

// RestartDCV returns the command that restarts the DCV server.
func RestartDCV() string {
	switch runtime.GOOS {
	case "windows":
		return "Restart-Service dcvserver"
	case "darwin":
		return "launchctl kickstart -k system/com.amazon.dcv.server.dcvserver"
	default:
		return "systemctl restart dcvserver"
	}
}

// restartAgent starts the agent too when it does not run.
func restartAgent() string {
	if runtime.GOOS == "windows" {
		return "Restart-Service dcvix-agent"
	}
	return "systemctl restart dcvix-agent"
}

func agentLog() string {
	if runtime.GOOS == "windows" {
		return "Get-Content -Tail 20 $env:ProgramData\\dcvix\\Agent\\log\\dcvix-agent.log"
	}
	return "journalctl -u dcvix-agent -n 20"
}

const (
	setUp     = "dcvix-agent setup-dcv"
	showCA    = "dcvix-director ca show"
	asSetUp   = "Set the DCV server up again, then restart it."
	startIt   = "Start the agent. If it does not stay, its log says why."
	asRoot    = "Run the doctor as root or as an administrator."
	lookAtLog = "The log of the agent says why."
)
