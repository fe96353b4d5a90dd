package main

import (
	"bytes"
	"fmt"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// typescript returns one TypeScript module with a type and a codec for every message of the files. A message's type has
// every field: those that are absent on the wire have their zero value, messages and oneofs undefined.
func typescript(files []*descriptorpb.FileDescriptorProto) []byte {
	out := new(bytes.Buffer)
	out.WriteString("// Code generated from the bridge's .proto file by proto/gen. DO NOT EDIT.\n\n")
	out.WriteString("import { codec, type Codec } from \"./codec\";\n")
	for _, file := range files {
		for i, enum := range file.EnumType {
			writeEnum(out, file, enum, i)
		}
		for i, message := range file.MessageType {
			writeMessage(out, file, message, i)
		}
	}
	return out.Bytes()
}

// writeEnum turns an enum into a union of its names in lower case, without the prefix that Protocol Buffers want.
func writeEnum(out *bytes.Buffer, file *descriptorpb.FileDescriptorProto, enum *descriptorpb.EnumDescriptorProto, index int) {
	prefix := upperSnake(enum.GetName()) + "_"
	var quoted []string
	for i, value := range enum.Value {
		if int(value.GetNumber()) != i {
			panic(fmt.Sprintf("internal error: enum %s has numbers with holes", enum.GetName()))
		}
		quoted = append(quoted, fmt.Sprintf("%q", strings.ToLower(strings.TrimPrefix(value.GetName(), prefix))))
	}
	out.WriteString("\n")
	writeComment(out, file, "", 5, index)
	fmt.Fprintf(out, "export type %s = %s;\n", enum.GetName(), strings.Join(quoted, " | "))
	fmt.Fprintf(out, "const names%s = [%s] as const;\n", enum.GetName(), strings.Join(quoted, ", "))
}

func writeMessage(out *bytes.Buffer, file *descriptorpb.FileDescriptorProto, message *descriptorpb.DescriptorProto, index int) {
	name := message.GetName()
	out.WriteString("\n")
	writeComment(out, file, "", 4, index)
	if len(message.Field) == 0 {
		fmt.Fprintf(out, "export type %s = Record<string, never>;\n", name)
	} else {
		fmt.Fprintf(out, "export interface %s {\n", name)
		for i, field := range message.Field {
			if field.OneofIndex != nil {
				continue
			}
			writeComment(out, file, "  ", 4, index, 2, i)
			fmt.Fprintf(out, "  %s: %s;\n", field.GetJsonName(), fieldType(field))
		}
		for _, oneof := range message.OneofDecl {
			fmt.Fprintf(out, "  %s: %s%s | undefined;\n", oneof.GetName(), name, title(oneof.GetName()))
		}
		out.WriteString("}\n")
	}
	for i, oneof := range message.OneofDecl {
		fmt.Fprintf(out, "\nexport type %s%s =\n", name, title(oneof.GetName()))
		var cases []string
		for _, field := range message.Field {
			if field.OneofIndex != nil && int(field.GetOneofIndex()) == i {
				cases = append(cases, fmt.Sprintf("  | { kind: %q; value: %s }", field.GetJsonName(), elementType(field)))
			}
		}
		out.WriteString(strings.Join(cases, "\n") + ";\n")
	}
	fmt.Fprintf(out, "\nexport const %s: Codec<%s> = codec<%s>([", name, name, name)
	for _, field := range message.Field {
		out.WriteString("\n  " + fieldRow(message, field) + ",")
	}
	if len(message.Field) > 0 {
		out.WriteString("\n")
	}
	out.WriteString("]);\n")
}

// fieldRow is one row of a codec's table: number, name, kind, and what the kind needs.
func fieldRow(message *descriptorpb.DescriptorProto, field *descriptorpb.FieldDescriptorProto) string {
	row := fmt.Sprintf("{ number: %d, name: %q, ", field.GetNumber(), field.GetJsonName())
	switch field.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_UINT32, descriptorpb.FieldDescriptorProto_TYPE_UINT64, descriptorpb.FieldDescriptorProto_TYPE_INT64:
		row += `kind: "number"`
	case descriptorpb.FieldDescriptorProto_TYPE_BOOL:
		row += `kind: "boolean"`
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		row += `kind: "string"`
	case descriptorpb.FieldDescriptorProto_TYPE_ENUM:
		row += `kind: "enum", names: names` + baseName(field.GetTypeName())
	case descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		row += `kind: "message", of: () => ` + baseName(field.GetTypeName())
	default:
		panic(fmt.Sprintf("internal error: %s.%s has a type that TypeScript does not get", message.GetName(), field.GetName()))
	}
	if repeated(field) {
		row += ", repeated: true"
	}
	if field.OneofIndex != nil {
		row += fmt.Sprintf(", oneof: %q", message.OneofDecl[field.GetOneofIndex()].GetName())
	}
	return row + " }"
}

func fieldType(field *descriptorpb.FieldDescriptorProto) string {
	switch {
	case repeated(field):
		return elementType(field) + "[]"
	case field.GetType() == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		return elementType(field) + " | undefined"
	default:
		return elementType(field)
	}
}

func elementType(field *descriptorpb.FieldDescriptorProto) string {
	switch field.GetType() {
	case descriptorpb.FieldDescriptorProto_TYPE_BOOL:
		return "boolean"
	case descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return "string"
	case descriptorpb.FieldDescriptorProto_TYPE_ENUM, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE:
		return baseName(field.GetTypeName())
	default:
		return "number"
	}
}

func repeated(field *descriptorpb.FieldDescriptorProto) bool {
	return field.GetLabel() == descriptorpb.FieldDescriptorProto_LABEL_REPEATED
}

// writeComment carries over the comment of what lies at the path in the file.
func writeComment(out *bytes.Buffer, file *descriptorpb.FileDescriptorProto, indent string, path ...int) {
	for _, location := range file.GetSourceCodeInfo().GetLocation() {
		if len(location.Path) != len(path) {
			continue
		}
		same := true
		for i := range path {
			same = same && int(location.Path[i]) == path[i]
		}
		if !same || location.GetLeadingComments() == "" {
			continue
		}
		for line := range strings.Lines(location.GetLeadingComments()) {
			out.WriteString(indent + "//" + strings.TrimRight(line, "\n") + "\n")
		}
	}
}

func baseName(typeName string) string { return typeName[strings.LastIndexByte(typeName, '.')+1:] }

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// upperSnake is the prefix of an enum's values: RoomKind gives ROOM_KIND.
func upperSnake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(r)
	}
	return strings.ToUpper(b.String())
}
