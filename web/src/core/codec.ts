// The packets' encoding: Protocol Buffers, as far as the bridge uses them. A number is exact below 2^53, which every seq
// and time is.

export interface Codec<T> {
  encode(value: T): Uint8Array<ArrayBuffer>;
  // Throws RangeError where the bytes are no such message.
  decode(bytes: Uint8Array): T;
  readonly table: Table;
}

interface Common {
  number: number;
  name: string;
  repeated?: boolean;
  oneof?: string;
}

type Field = Common &
  (
    | { kind: "number" | "boolean" | "string" }
    | { kind: "enum"; names: readonly string[] }
    | { kind: "message"; of: () => { readonly table: Table } }
  );

type Table = readonly Field[];
type Fields = Record<string, unknown>;
interface Choice {
  kind: string;
  value: unknown;
}

// codec makes a message's codec of its table, which proto/gen writes beside the type: that the two agree is its promise.
export function codec<T>(table: Table): Codec<T> {
  return {
    table,
    encode: (value) => {
      const out: number[] = [];
      writeMessage(out, table, value as Fields);
      return new Uint8Array(out);
    },
    decode: (bytes) => readMessage(table, new Reader(bytes)) as T,
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function writeMessage(out: number[], table: Table, message: Fields): void {
  for (const field of table) {
    if (field.oneof !== undefined) {
      const choice = message[field.oneof] as Choice | undefined;
      if (choice?.kind === field.name) writeField(out, field, choice.value);
    } else if (field.repeated === true) {
      for (const element of message[field.name] as unknown[]) writeField(out, field, element);
    } else {
      const value = message[field.name];
      if (value !== undefined && value !== zeroOf(field)) writeField(out, field, value);
    }
  }
}

function writeField(out: number[], field: Field, value: unknown): void {
  switch (field.kind) {
    case "number":
      writeVarint(out, field.number * 8);
      writeVarint(out, value as number);
      return;
    case "boolean":
      writeVarint(out, field.number * 8);
      writeVarint(out, value === true ? 1 : 0);
      return;
    case "enum":
      writeVarint(out, field.number * 8);
      writeVarint(out, Math.max(0, field.names.indexOf(value as string)));
      return;
    case "string":
      writeBytes(out, field.number, encoder.encode(value as string));
      return;
    case "message": {
      const inner: number[] = [];
      writeMessage(inner, field.of().table, value as Fields);
      writeBytes(out, field.number, inner);
    }
  }
}

function writeBytes(out: number[], number: number, bytes: Uint8Array | number[]): void {
  writeVarint(out, number * 8 + 2);
  writeVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

function writeVarint(out: number[], value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no packet can hold the number ${value}`);
  while (value > 0x7f) {
    out.push((value % 0x80) + 0x80);
    value = Math.floor(value / 0x80);
  }
  out.push(value);
}

function zeroOf(field: Field): unknown {
  switch (field.kind) {
    case "number":
      return 0;
    case "boolean":
      return false;
    case "string":
      return "";
    case "enum":
      return field.names[0];
    case "message":
      return undefined;
  }
}

function readMessage(table: Table, reader: Reader): Fields {
  const message: Fields = {};
  for (const field of table) {
    message[field.oneof ?? field.name] = field.oneof !== undefined ? undefined : field.repeated === true ? [] : zeroOf(field);
  }
  while (!reader.ended()) {
    const tag = reader.varint();
    const field = table.find((candidate) => candidate.number === Math.floor(tag / 8));
    if (field === undefined) {
      reader.skip(tag % 8);
      continue;
    }
    const value = readField(field, tag % 8, reader);
    if (field.oneof !== undefined) message[field.oneof] = { kind: field.name, value };
    else if (field.repeated === true) (message[field.name] as unknown[]).push(value);
    else message[field.name] = value;
  }
  return message;
}

function readField(field: Field, wire: number, reader: Reader): unknown {
  const wanted = field.kind === "string" || field.kind === "message" ? 2 : 0;
  if (wire !== wanted) throw new RangeError(`field ${field.name} has wire type ${wire}`);
  switch (field.kind) {
    case "number":
      return reader.varint();
    case "boolean":
      return reader.varint() !== 0;
    case "enum":
      return field.names[reader.varint()] ?? field.names[0];
    case "string":
      return decoder.decode(reader.bytes());
    case "message":
      return readMessage(field.of().table, new Reader(reader.bytes()));
  }
}

class Reader {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  ended(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new RangeError("a packet ends within a number");
      value += (byte & 0x7f) * unit;
      if (!Number.isSafeInteger(value)) throw new RangeError("a packet holds a number that is too large");
      if (byte < 0x80) return value;
    }
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("a packet ends within a field");
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  skip(wire: number): void {
    if (wire === 0) this.varint();
    else if (wire === 2) this.bytes();
    else throw new RangeError(`a packet has a field of wire type ${wire}`);
  }
}
