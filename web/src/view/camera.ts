// QR codes by the camera, where the browser can read them. No picture leaves the page, and none is kept.

// What Chromium and others have of the Shape Detection API; TypeScript's library does not know it.
interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
type DetectorType = new (options: { formats: string[] }) => Detector;

function detectorType(): DetectorType | undefined {
  return (globalThis as unknown as { BarcodeDetector?: DetectorType }).BarcodeDetector;
}

// cameraReads tells whether codes can be scanned here; where not, digits are typed.
export function cameraReads(): boolean {
  return detectorType() !== undefined && typeof navigator.mediaDevices?.getUserMedia === "function";
}

// How often a picture is looked at, in milliseconds: quick enough for a hand, slow enough for a phone.
const every = 200;

// scan shows the camera in video and calls onread for each code that is seen, until it is closed.
export function scan(video: HTMLVideoElement, onread: (text: string) => void, onfail: (why: string) => void): () => void {
  const type = detectorType();
  let stream: MediaStream | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;

  async function look(detector: Detector): Promise<void> {
    if (closed) return;
    try {
      for (const { rawValue } of await detector.detect(video)) if (!closed) onread(rawValue);
    } catch {
      // A picture that cannot be read, such as before the first one: the next is tried.
    }
    timer = setTimeout(() => void look(detector), every);
  }

  async function begin(): Promise<void> {
    if (type === undefined) throw new Error("this browser cannot read QR codes");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (closed) {
      stop();
      return;
    }
    video.srcObject = stream;
    await video.play();
    await look(new type({ formats: ["qr_code"] }));
  }

  function stop(): void {
    clearTimeout(timer);
    for (const track of stream?.getTracks() ?? []) track.stop();
  }

  begin().catch((thrown: unknown) => {
    if (!closed) onfail(thrown instanceof Error && thrown.name === "NotAllowedError" ? "this page may not use the camera" : "the camera cannot be used");
  });
  return () => {
    closed = true;
    stop();
  };
}
