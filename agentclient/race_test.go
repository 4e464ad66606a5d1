//go:build race

package agentclient_test

const raceDetector = true
