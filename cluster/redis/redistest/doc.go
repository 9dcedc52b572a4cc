// Package redistest starts real Redis servers for tests: single ones, and a Redis Cluster of three. Each listens on free ports
// of the loopback interface, keeps nothing on disk but what the test asks for, and ends with its test. The program
// redis-server must be in the PATH: Debian's package redis-server has it.
package redistest
