// Command latchd is a made-up coordination service, for the example of a provider beside it: latchd -listen ADDRESS -file FILE.
// It keeps keys with values in buckets, over HTTP, and each change of a bucket gives it a higher revision. A key that was
// put with a ttl vanishes unless it is renewed. What was acknowledged is in the file, and there again after a crash;
// keys with a ttl then have all of it before them.
//
//	GET    /v1/BUCKET[?not=REVISION&wait=5s]   all keys; with not, once the revision is another, or the wait is over
//	GET    /v1/BUCKET/KEY                      one key; it has the revision 0 if it is not there
//	PUT    /v1/BUCKET/KEY?if=REVISION[&ttl=9s] a new value, if the key has this revision; else 409
//	POST   /v1/BUCKET/KEY                      renews a key, and gives its ttl; 410 if it is gone
//	DELETE /v1/BUCKET/KEY                      removes a key
//	DELETE /v1/                                removes all keys of all buckets
package main
