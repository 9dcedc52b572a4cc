// Package actorpb is the PID that messages of users may carry: a field of the type in
// wire/actorpb/pid.proto. Package remote converts it both ways.
package actorpb
