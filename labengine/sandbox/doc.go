// Package sandbox makes the process that a lab lives in, and the machines inside that lab.
//
// Outside, the server (or `vethlab run`) calls Start, or Find for a lab that an earlier server started. What comes
// back is a Process: a socket to talk to, a way to kill it, and word of its end.
//
// Inside, the lab process calls Init first. It is PID 1 of namespaces of its own, so that whatever it makes ends
// with it. NewMachine then makes machines:
//
//	server ── Start ──> lab process ── bwrap ──> machine setup ──> machine init (PID 1 of its machine, the agent)
//	                         │          binds the files   clones, exits        ├─ shells
//	                         └───────────── a socket pair ─────────────────────┘  └─ /run/netns/red, blue, ...
//
// bwrap and the setup are gone once the machine runs. The agent makes network namespaces and starts programs, as
// only somebody inside the machine can; it holds nothing that its learner must not have. A learner is root in their
// machine and may take the agent over, so the lab process treats every word of it as input from a stranger.
//
// Server, lab process, setup and agent are one binary. A program that uses this package calls Reexec as the first
// thing in main.
package sandbox
