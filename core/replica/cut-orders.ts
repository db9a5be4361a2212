/** When cuts are taken: one at a time, and none of a state that is being replaced. Raft may want them at any time. */
export class CutOrders {
  private underWay: "none" | "one" | "another wanted" = "none";
  private isRestoring = false;

  /** Raft wants one. Whether it is taken now; it may be later. */
  wanted(): boolean {
    const isNow = this.underWay === "none";
    this.underWay = isNow ? "one" : "another wanted";
    return isNow;
  }

  /** The one under way is over. What becomes of another that was wanted meanwhile; null: none was. */
  ended(): "taken" | "abandoned" | null {
    const isWanted = this.underWay === "another wanted";
    this.underWay = "none";
    if (!isWanted) return null;
    if (this.isRestoring) return "abandoned";
    this.underWay = "one";
    return "taken";
  }

  restoreStarted(): void {
    this.isRestoring = true;
  }

  restoreFinished(): void {
    this.isRestoring = false;
  }
}
