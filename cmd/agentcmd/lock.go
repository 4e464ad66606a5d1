package agentcmd

import "errors"

// lockFile is in the data folder, and empty.
const lockFile = "agent.lock"

var errLocked = errors.New("locked by another process")
