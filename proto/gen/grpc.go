package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

// standard compiles the messages for the standard runtime, and the services for google.golang.org/grpc: for what speaks
// other people's protocols, and never for a browser.
func standard(request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, fmt.Errorf("reading descriptors: %w", err)
	}
	for _, file := range plugin.Files {
		if file.Generate {
			internal_gengo.GenerateFile(plugin, file)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return nil, fmt.Errorf("generating: %s", response.GetError())
	}
	services, err := runTool("protoc-gen-go-grpc", request)
	if err != nil {
		return nil, err
	}
	response.File = append(response.File, services.File...)
	return response, nil
}

// runTool runs a plugin of protoc, one of this module's tools, which has no library form.
func runTool(name string, request *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	in, err := proto.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	tool := exec.Command("go", "tool", name)
	tool.Stdin, tool.Stderr = bytes.NewReader(in), os.Stderr
	out, err := tool.Output()
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", name, err)
	}
	response := new(pluginpb.CodeGeneratorResponse)
	if err := proto.Unmarshal(out, response); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", name, err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("running %s: %s", name, response.GetError())
	}
	return response, nil
}

// named returns the files that a generator made, by their path below the root.
func named(dir string, response *pluginpb.CodeGeneratorResponse) map[string][]byte {
	files := make(map[string][]byte)
	for _, file := range response.File {
		files[filepath.Join(dir, filepath.Base(file.GetName()))] = bytes.TrimLeft([]byte(file.GetContent()), "\n")
	}
	return files
}
