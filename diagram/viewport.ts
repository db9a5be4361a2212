/** Which part of time is looked at, and where on the screen it stands. It goes to a new place in a few frames. */

const MIN_WIDTH_US = 200;
const GLIDE_MS = 160;

export class Viewport {
  from = 0;
  end: number;
  /** In pixels: where time begins on the screen, and how wide it is. */
  left = 0;
  width = 1;
  /** Told of each change. */
  onChange: () => void = () => undefined;
  private readonly whole: number;
  private glide = 0;

  constructor(whole: number) {
    this.whole = whole;
    this.end = whole;
  }

  x(time: number): number {
    return this.left + ((time - this.from) / (this.end - this.from)) * this.width;
  }

  time(x: number): number {
    return this.from + ((x - this.left) / this.width) * (this.end - this.from);
  }

  get usPerPixel(): number {
    return (this.end - this.from) / this.width;
  }

  show(from: number, end: number): void {
    this.glide++;
    const margin = this.whole * 0.01;
    const width = Math.min(Math.max(end - from, MIN_WIDTH_US), this.whole + 2 * margin);
    const start = Math.min(Math.max(from, -margin), this.whole + margin - width);
    this.from = start;
    this.end = start + width;
    this.onChange();
  }

  /** As `show`, in a few frames, so that the eye can follow. */
  glideTo(from: number, end: number): void {
    const [fromBefore, endBefore] = [this.from, this.end];
    const glide = ++this.glide;
    const begun = performance.now();
    const step = (now: number): void => {
      if (glide !== this.glide) return;
      const part = Math.min(1, Math.max(0, (now - begun) / GLIDE_MS));
      const eased = part * (2 - part);
      this.show(fromBefore + (from - fromBefore) * eased, endBefore + (end - endBefore) * eased);
      this.glide = glide;
      if (part < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  zoom(factor: number, around: number): void {
    this.show(around - (around - this.from) * factor, around + (this.end - around) * factor);
  }

  /** @param part of what is visible */
  pan(part: number): void {
    const by = (this.end - this.from) * part;
    this.show(this.from + by, this.end + by);
  }

  fit(): void {
    this.glideTo(0, this.whole);
  }

  /** Brings a time into the middle unless it is well in sight. `width`: how much to show; null: as much as now. */
  reveal(time: number, width: number | null = null): void {
    const shown = this.end - this.from;
    const wanted = width ?? shown;
    const edge = shown * 0.08;
    if (width === null && time > this.from + edge && time < this.end - edge) return;
    this.glideTo(time - wanted / 2, time + wanted / 2);
  }
}

/** Microseconds as people write them, as exact as `precisionUs` asks. */
export function formatTime(us: number, precisionUs: number): string {
  const digits = Math.min(6, Math.max(0, Math.ceil(6 - Math.log10(precisionUs))));
  return `${(us / 1e6).toFixed(digits)} s`;
}

export function formatDuration(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 2 : 1)} ms`;
  return `${(us / 1e6).toFixed(2)} s`;
}
