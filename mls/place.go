package mls

import "slices"

// A Place is where in the life of a group something from outside is meant: its suite, its id and its epoch, as a GroupInfo
// or the delivery service says.
type Place struct {
	Suite   CipherSuite
	GroupID []byte
	Epoch   uint64
}

// A GroupInfo is an epoch of a group as one of its members describes it to those outside (RFC 9420, Section 12.4.3). What it
// says is worth nothing until Members or JoinExternally has verified it.
type GroupInfo struct {
	suite *suite
	info  *groupInfo
}

// ParseGroupInfo reads what Group.GroupInfo returned.
func ParseGroupInfo(message []byte) (*GroupInfo, error) {
	info, s, err := parseGroupInfo(message)
	if err != nil {
		return nil, err
	}
	return &GroupInfo{s, info}, nil
}

// Place is where the GroupInfo says that the group is.
func (i *GroupInfo) Place() Place {
	return Place{i.suite.id, i.info.context.groupID, i.info.context.epoch}
}

// Context returns the GroupContext extensions.
func (i *GroupInfo) Context() Extensions { return i.info.context.extensions }

// Extensions returns those of the GroupInfo itself.
func (i *GroupInfo) Extensions() Extensions { return i.info.extensions }

// Members verifies the GroupInfo with the ratchet tree, which is the given one where the GroupInfo carries none, and returns who
// is in the group. It knows that one of them signed, and that all their leaves are sound; who they are it does not ask.
func (i *GroupInfo) Members(ratchetTree []byte) ([]Member, error) {
	tree, err := i.info.readTree(i.suite, ratchetTree)
	if err != nil {
		return nil, err
	}
	return slices.Collect(tree.members()), nil
}
