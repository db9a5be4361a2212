/** The playhead: where it is, how it runs, and the view that goes with it. */
import type { Scene } from "./scene.ts";

export class Player {
  isPlaying = false;
  speed = 0.1;
  private readonly scene: Scene;
  private last = 0;
  /** Told of each move, and of each start and stop. */
  onChange: () => void = () => undefined;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  toggle(): void {
    this.isPlaying = !this.isPlaying;
    if (this.isPlaying && this.scene.playhead >= this.scene.model.end) this.scene.playhead = 0;
    this.last = performance.now();
    if (this.isPlaying) requestAnimationFrame((now) => this.tick(now));
    this.onChange();
  }

  moveTo(time: number): void {
    this.scene.playhead = Math.round(Math.min(Math.max(time, 0), this.scene.model.end));
    this.onChange();
  }

  private tick(now: number): void {
    if (!this.isPlaying) return;
    const { scene, scene: { viewport } } = this;
    const elapsed = Math.max(0, now - this.last);
    this.last = now;
    scene.playhead = Math.min(scene.model.end, scene.playhead + elapsed * 1000 * this.speed);
    const width = viewport.end - viewport.from;
    const { playhead } = scene;
    const isOut = playhead < viewport.from || playhead > viewport.end - width * 0.15;
    if (isOut && viewport.end < scene.model.end) viewport.show(playhead - width * 0.15, playhead + width * 0.85);
    if (scene.playhead >= scene.model.end) this.isPlaying = false;
    else requestAnimationFrame((next) => this.tick(next));
    this.onChange();
  }
}
