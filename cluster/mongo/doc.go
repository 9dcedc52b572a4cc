// Package mongo keeps in MongoDB where the grains of a cluster are active.
//
//	lookup := mongo.New(options.Client().ApplyURI("mongodb://10.0.0.1:27017/?replicaSet=rs0"))
//	config := cluster.Configure("shop", provider, remote.Configure("10.0.0.7", 0), cluster.WithIdentityLookup(lookup), kinds...)
//
// (options is go.mongodb.org/mongo-driver/v2/mongo/options.) All members and clients of the cluster are given the same one. It goes
// with every membership provider.
//
// # What is stored
//
// One collection for each cluster, entries.shop in the database granary, with a document for each activation:
//
//	{_id: "Counter/alice/000001932f8c….0000000000000003", kind: "Counter", name: "alice", released: false,
//	 token: "000001932f8c….0000000000000003", member: "…", address: "10.0.0.7:4000", epoch: "12", era: "000001932f8c…-…"}
//
// The number behind the point counts the activations of an identity within an era. The document with the highest token is the
// identity's entry, unless it is released. What lives where, and how many per member and kind, in mongosh:
//
//	use granary
//	db["entries.shop"].find({released: false}, {kind: 1, name: 1, address: 1})
//	db["entries.shop"].aggregate([{$match: {released: false}}, {$group: {_id: {member: "$member", kind: "$kind"}, n: {$sum: 1}}}])
//
// The documents whose _id begins with an exclamation mark are the era record and its mark. The user needs the role readWrite on
// the database.
//
// # How a claim is atomic
//
// A claim inserts the document that follows the highest one: of several that do so, the unique _id lets one succeed. It then reads again: if
// a higher one is there, or the era is another by now, it takes its own back. The highest document of an identity is
// never deleted within an era, so nobody can take a number that was used. Nothing else has to be atomic, neither an update
// nor a transaction, so that servers serve that only speak MongoDB's protocol.
//
// So each identity that was ever active keeps one small document, about 300 bytes, until the next era begins. To begin one by hand, delete
// the documents whose _id begins with "!", as after a restored backup, which this package cannot notice by itself; the
// members then write back what they host, one write for each active grain:
//
//	db["entries.shop"].deleteMany({_id: /^!/})
//
// # Writes and reads
//
// Writes have the write concern majority, reads the read concern majority, from the primary, whatever the client's options say. A database
// that was emptied has lost the mark of the era, and the next claim notices.
//
// # Failures
//
// While MongoDB is out of reach cached calls go on; others wait within their deadlines, and their errors name the address and the cause.
// Nothing is tried again by this package, and its clients are made so (RetryWrites and RetryReads false).
package mongo
