package server

import (
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
)

// statusOf turns an error of package mls into a gRPC status: what the request brought along is an InvalidArgument, what is
// not the time for it a FailedPrecondition. A status stays what it is.
func statusOf(err error) error {
	if _, ok := status.FromError(err); ok {
		return err
	}
	code := codes.Internal
	var (
		rule       *mls.ValidationError
		epoch      *mls.EpochError
		generation *mls.GenerationError
	)
	switch {
	case errors.Is(err, mls.ErrUnsupported):
		code = codes.Unimplemented
	case errors.Is(err, mls.ErrPendingProposals), errors.Is(err, mls.ErrStale), errors.Is(err, mls.ErrRemoved), errors.As(err, &epoch):
		code = codes.FailedPrecondition
	case errors.Is(err, mls.ErrMalformed), errors.Is(err, mls.ErrDecrypt), errors.Is(err, mls.ErrVerify),
		errors.Is(err, mls.ErrNoKeyPackage), errors.As(err, &rule), errors.As(err, &generation):
		code = codes.InvalidArgument
	}
	return status.Error(code, err.Error())
}

func invalid(what string) error { return status.Error(codes.InvalidArgument, what) }
