// Command article takes an article about a cluster, which shows a .proto file, a member and a client of the cluster,
// and proves that what it shows runs on this tree: scripts/article FILE [DIR].
//
// It extracts the code, replaces nothing but the module root of the imports, generates, builds, and runs the two
// programs as processes. It exits 0 only if all of this is so:
//
//   - each ping is answered with the count that was sent;
//   - the grain is terminated after its idle timeout, not before, and the next ping activates it again;
//   - when the member is killed and started again, the client, which is not started again, finds it.
//
// It prints what happens as it happens, takes two minutes at most after the build, and leaves no process behind. The
// programs are written to DIR, which is kept, or else to a temporary folder.
package main
