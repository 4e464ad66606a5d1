// Package fakedcv shows how to test against a whole fleet in one process: a
// director, an agent and a DCV server that asks the director about tokens. All of
// it is real but the DCV.
//
// There is nothing to import here: copy walk_test.go and keep what your test
// needs.
package fakedcv
