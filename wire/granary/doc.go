// Package granary holds the options that rpcs of grains have in their .proto
// files: options.proto. Generated code of such files imports it; nothing else
// has to.
package granary
