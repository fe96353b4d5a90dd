// Command gen compiles the .proto files below proto/snug to Go, and those of the bridge to TypeScript too; and the one of
// mls/interop, whose protocol is not ours. It needs no protoc: the compiler and the generators are libraries and tools of
// this module.
//
//	cd proto/gen && go run .
//
// It is a module of its own so that what generates the code is no dependency of the product.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aperturerobotics/protobuf-go-lite/compiler/protogen"
	"github.com/aperturerobotics/protobuf-go-lite/generator"
	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "github.com/aperturerobotics/protobuf-go-lite/features/equal"
	_ "github.com/aperturerobotics/protobuf-go-lite/features/marshal"
	_ "github.com/aperturerobotics/protobuf-go-lite/features/size"
	_ "github.com/aperturerobotics/protobuf-go-lite/features/unmarshal"
)

// A target is one folder of .proto files, the folder of the Go package that they become and, where not empty, the
// TypeScript file. grpc asks for the standard runtime and for services.
type target struct {
	from, to, typescript string
	grpc                 bool
}

// targets lie below the root of the repository.
var targets = []target{
	{from: "proto/snug/v1", to: "internal/wire"},
	{from: "proto/snug/bridge/v1", to: "internal/bridge", typescript: "web/src/core/protocol.ts"},
	{from: "mls/interop/mlsclient", to: "mls/interop/mlsclient", grpc: true},
}

func main() {
	root := flag.String("root", "../..", "the repository's root")
	flag.Parse()
	for _, t := range targets {
		files, err := generate(*root, t)
		if err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(*root, name), text, 0o644); err != nil {
				fmt.Fprintln(os.Stderr, "gen:", err)
				os.Exit(1)
			}
		}
	}
}

// generate returns the files of one target by their path below the root.
func generate(root string, t target) (map[string][]byte, error) {
	dir := filepath.Join(root, t.from)
	sources, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil || len(sources) == 0 {
		return nil, fmt.Errorf("no .proto files in %s: %v", dir, err)
	}
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("")}
	for _, source := range sources {
		request.FileToGenerate = append(request.FileToGenerate, filepath.Base(source))
	}
	if request.ProtoFile, err = compile(dir, request.FileToGenerate); err != nil {
		return nil, err
	}
	compile := light
	if t.grpc {
		compile = standard
	}
	response, err := compile(request)
	if err != nil {
		return nil, err
	}
	files := named(t.to, response)
	if t.typescript != "" {
		files[t.typescript] = typescript(request.ProtoFile)
	}
	return files, nil
}

// light compiles the messages for a runtime without reflection, which a browser can afford.
func light(request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, fmt.Errorf("reading descriptors: %w", err)
	}
	gen, err := generator.NewGenerator(plugin, []string{"size", "marshal", "unmarshal", "equal"}, &generator.Config{})
	if err != nil {
		return nil, fmt.Errorf("starting the generator: %w", err)
	}
	gen.Generate()
	response := plugin.Response()
	if response.Error != nil {
		return nil, fmt.Errorf("generating: %s", response.GetError())
	}
	return response, nil
}

// compile returns the descriptors of the files, each after those that it imports.
func compile(dir string, names []string) ([]*descriptorpb.FileDescriptorProto, error) {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{dir}},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	linked, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, fmt.Errorf("compiling: %w", err)
	}
	var ordered []*descriptorpb.FileDescriptorProto
	seen := make(map[string]bool)
	var add func(name string)
	add = func(name string) {
		file := linked.FindFileByPath(name)
		if seen[name] || file == nil {
			return
		}
		seen[name] = true
		for i := range file.Imports().Len() {
			add(file.Imports().Get(i).Path())
		}
		ordered = append(ordered, protoutil.ProtoFromFileDescriptor(file))
	}
	for _, name := range names {
		add(name)
	}
	return ordered, nil
}
