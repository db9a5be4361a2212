/**
 * What the demo shows. On a terminal: coloured lines, and below them one that is drawn anew ten times a second.
 * Anywhere else: the same lines, plain, so that a log of it reads well.
 */

export interface Pulse {
  /** Per node: its name, and whether it leads, follows or is dead. */
  readonly nodes: readonly { readonly id: string; readonly state: "leads" | "follows" | "dead" }[];
  readonly acknowledged: number;
}

const REDRAW_MS = 100;
const BARS = " ▁▂▃▄▅▆▇█";
/** How many redraws a bar of the little chart stands for, and how many bars there are. */
const DRAWS_PER_BAR = 3;
const CHART_WIDTH = 30;
/** What the rest of the live line may need. A line that wraps cannot be drawn anew. */
const TEXT_WIDTH = 56;

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Style = keyof typeof CODES;

export class Screen {
  private readonly isLive: boolean;
  private readonly isColoured: boolean;
  private readonly startedAt = performance.now();
  private readonly pulse: () => Pulse;
  private readonly timer: NodeJS.Timeout | null;
  private readonly counts: number[] = [];
  private draws = 0;
  private isShown = false;

  constructor(pulse: () => Pulse) {
    this.pulse = pulse;
    this.isLive = process.stdout.isTTY === true;
    this.isColoured = this.isLive && process.env["NO_COLOR"] === undefined;
    this.timer = this.isLive ? setInterval(() => this.draw(), REDRAW_MS) : null;
  }

  /** A line of what happened, with the time since the start. */
  event(symbol: string, style: Style, text: string): void {
    const seconds = ((performance.now() - this.startedAt) / 1000).toFixed(1).padStart(5);
    this.line(`${this.paint("dim", `${seconds}s`)}  ${this.paint(style, symbol)} ${text}`);
  }

  line(text = ""): void {
    this.erase();
    process.stdout.write(`${text}\n`);
  }

  paint(style: Style, text: string): string {
    return this.isColoured ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text;
  }

  /** No more live line. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.erase();
  }

  private draw(): void {
    const { nodes, acknowledged } = this.pulse();
    if (this.draws++ % DRAWS_PER_BAR === 0) this.counts.push(acknowledged);
    const signs = nodes.map(({ id, state }) => {
      if (state === "dead") return this.paint("red", `${id} ✗`);
      return state === "leads" ? this.paint("green", `${id} ★`) : `${id} ●`;
    });
    const chart = this.paint("cyan", this.chart());
    this.erase();
    process.stdout.write(`        ${signs.join("  ")}   ${acknowledged} inserts acknowledged  ${chart}`);
    this.isShown = true;
  }

  /** Inserts per time, latest last: a gap is a failover. */
  private chart(): string {
    const width = Math.max(0, Math.min(CHART_WIDTH, (process.stdout.columns ?? 80) - TEXT_WIDTH));
    const recent = this.counts.slice(-width - 1);
    const rates = recent.slice(1).map((count, at) => count - recent[at]!);
    const highest = Math.max(1, ...rates);
    return rates.map((rate) => BARS[Math.ceil((rate / highest) * (BARS.length - 1))]).join("");
  }

  private erase(): void {
    if (this.isShown) process.stdout.write("\r\x1b[2K");
    this.isShown = false;
  }
}
