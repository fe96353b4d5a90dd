// A reader of the QR codes that the page draws: versions 1 to 4, mask 0, level M, as the core makes them. It takes the
// picture, not the core's word for what is in it.

// readDrawing takes the text of a code that is drawn as an SVG path of runs, "M3 4h7v1h-7z", in a square of side modules.
export function readDrawing(path: string, side: number): string {
  const quiet = 4;
  const size = side - 2 * quiet;
  const version = (size - 17) / 4;
  const shape = [[1, 16], [1, 28], [1, 44], [2, 32]][version - 1];
  if (shape === undefined) throw new Error(`a QR code of ${size} modules`);
  const dark = new Set<string>();
  for (const [, x, y, run] of path.matchAll(/M(\d+) (\d+)h(\d+)/gu)) {
    for (let i = 0; i < Number(run); i++) dark.add(`${Number(x) + i - quiet} ${Number(y) - quiet}`);
  }
  const bytes = bytesOf(size, version, (x, y) => dark.has(`${x} ${y}`));
  const [blocks = 1, length = 0] = shape;
  const data: number[] = [];
  for (let block = 0; block < blocks; block++) for (let i = 0; i < length; i++) data.push(bytes[i * blocks + block] ?? 0);
  return textOf(data);
}

// bytesOf walks the columns of modules, two by two from the right, up and down, past the patterns.
function bytesOf(size: number, version: number, dark: (x: number, y: number) => boolean): number[] {
  const bytes: number[] = [];
  let bits = 0;
  let up = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--; // the timing pattern's column
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (isPattern(size, version, x, y)) continue;
        const at = bits >> 3;
        bytes[at] = ((bytes[at] ?? 0) << 1) | Number(dark(x, y) !== ((x + y) % 2 === 0));
        bits++;
      }
    }
    up = !up;
  }
  return bytes;
}

function isPattern(size: number, version: number, x: number, y: number): boolean {
  const corner = (x <= 8 && y <= 8) || (x >= size - 8 && y <= 8) || (x <= 8 && y >= size - 8);
  const aligned = version > 1 && x >= size - 9 && x <= size - 5 && y >= size - 9 && y <= size - 5;
  return corner || x === 6 || y === 6 || aligned;
}

// textOf reads one alphanumeric segment.
function textOf(data: number[]): string {
  const characters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
  let at = 0;
  const take = (n: number): number => {
    let value = 0;
    for (; n > 0; n--, at++) value = (value << 1) | (((data[at >> 3] ?? 0) >> (7 - (at % 8))) & 1);
    return value;
  };
  const mode = take(4);
  if (mode !== 2) throw new Error(`a segment of mode ${mode}`);
  let text = "";
  let n = take(9);
  for (; n > 1; n -= 2) {
    const pair = take(11);
    text += characters.charAt(Math.floor(pair / 45)) + characters.charAt(pair % 45);
  }
  return n === 1 ? text + characters.charAt(take(6)) : text;
}
