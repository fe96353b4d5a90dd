package mls

// PSKType says what kind of pre-shared key is meant (RFC 9420, Section 8.4).
type PSKType uint8

const (
	PSKExternal   PSKType = 1
	PSKResumption PSKType = 2
)

// PSKUsage says what a resumption key is used for.
type PSKUsage uint8

const (
	UsageApplication PSKUsage = 1
	UsageReInit      PSKUsage = 2
	UsageBranch      PSKUsage = 3
)

// A PreSharedKeyID names a pre-shared key.
type PreSharedKeyID struct {
	Type PSKType
	// ID names an external key.
	ID []byte
	// Usage, GroupID and Epoch name the resumption secret of an epoch.
	Usage   PSKUsage
	GroupID []byte
	Epoch   uint64
	// Nonce is fresh for each use. It is filled in when a proposal is made with an empty one.
	Nonce []byte
}
