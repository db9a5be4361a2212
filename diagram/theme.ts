/**
 * Colours, light and dark. Hues are those of Okabe and Ito, which people with any kind of colour-blindness tell apart;
 * vermillion means that something is wrong and nothing else. What matters has a shape, too.
 */
import type { Outcome } from "../sim/chronicle/format.ts";
import type { PacketKind } from "./kinds.ts";

export interface Theme {
  readonly isDark: boolean;
  readonly background: string;
  readonly laneBackground: string;
  readonly grid: string;
  readonly faint: string;
  readonly text: string;
  readonly textFaint: string;
  readonly wrong: string;
  readonly warning: string;
  readonly accent: string;
  readonly terms: readonly string[];
  readonly packets: Readonly<Record<PacketKind, string>>;
  readonly outcomes: Readonly<Record<Outcome, string>>;
  readonly operation: string;
  readonly sync: string;
}

const LIGHT: Theme = {
  isDark: false, background: "#ffffff", laneBackground: "#f5f7fa", grid: "#e3e7ee", faint: "#c3cad6",
  text: "#1c2430", textFaint: "#66738a", wrong: "#d55e00", warning: "#b07d00", accent: "#111111",
  terms: ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#8a7a00", "#7a5195"],
  packets: {
    append: "#0072b2", appendReply: "#7fb3d5", heartbeat: "#b8c0cc", vote: "#e08a00", snapshot: "#a8508a",
    read: "#2fa5c7", other: "#8a7a00", request: "#009e73", answer: "#66bfa3",
  },
  outcomes: { ok: "#009e73", refused: "#8d97a8", unknown: "#e69f00", open: "#b8c0cc" },
  operation: "#b4bccb", sync: "#67748c",
};

const DARK: Theme = {
  isDark: true, background: "#12161d", laneBackground: "#191f29", grid: "#262e3b", faint: "#3d4859",
  text: "#e6ebf3", textFaint: "#93a0b5", wrong: "#ff7a2f", warning: "#f0c040", accent: "#ffffff",
  terms: ["#3f9bdc", "#f0b030", "#20bf92", "#e293c0", "#7cc8f5", "#c2b23a", "#a684c9"],
  packets: {
    append: "#4aa8e8", appendReply: "#356a90", heartbeat: "#434e60", vote: "#f2a93b", snapshot: "#d58abb",
    read: "#4fc3e0", other: "#b5a642", request: "#26c397", answer: "#2a7d67",
  },
  outcomes: { ok: "#20bf92", refused: "#6d7a90", unknown: "#f0b030", open: "#434e60" },
  operation: "#465268", sync: "#8492ab",
};

export function themeOf(isDark: boolean): Theme {
  return isDark ? DARK : LIGHT;
}

export function termColour(theme: Theme, term: number): string {
  return term === 0 ? theme.faint : theme.terms[term % theme.terms.length]!;
}
