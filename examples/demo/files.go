package main

// loginScript is the login backend of the demonstration: a command that reads
// user, password and one-time password and ends with 0 or 1.
const loginScript = `#!/bin/sh
read -r user; read -r password; read -r otp
case $user in alice|admin) ;; *) exit 1 ;; esac
[ "$password" = "$(cat "$(dirname "$0")/$user.password")" ]
`

const directorConf = `# Written by the demonstration at every start.
[director]
director_host = 127.0.0.1
director_port = %d
agent_port = %d
auth_type = external
data_dir = director
policydb_folder = policydb
token_key_file = director/token.key

[external_auth]
external_command = ./login.sh

[log]
level = debug
`

const agentConf = `# Written by the demonstration at every start.
[agent]
director_host = 127.0.0.1
director_port = %d
agent_port = %d
bind_address = 127.0.0.1
hostname = %s
dcv_port = %d
dcv_path = ws1/dcv
data_dir = agent
update_interval = 5
tags = demo
ca_fingerprint = %s
`

const launcherConf = `# Written by the demonstration at every start.
[dcvix-launcher]
broker = https://localhost:%d
ca-file = director/ca.pem
user_id = alice
command = ws1/dcvviewer
`

const usersJSON = `[
  {"id": "alice", "workstations": ["ws1"]},
  {"id": "admin", "admin": true, "workstations": ["ws1"]}
]
`
