// Package idb is client.Store over IndexedDB: one database of the page's origin holds one device. Begin with Open; it
// exists for js/wasm only.
//
// A commit is one transaction with durability "strict", in which nothing is waited for but the database itself. Tabs
// share the database: a commit whose generation is not the database's writes nothing, and the others hear of one that
// did by BroadcastChannel.
//
// Nothing is sealed at rest beyond what the browser does. Values lie in the browser's profile as they are, device key
// included, so the profile must be guarded like a key; who can read it, or run script on the origin, is this device. A
// key kept beside the data in the same profile would only look like a lock.
package idb
