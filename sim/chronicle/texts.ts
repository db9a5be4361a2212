/** A list of texts in which each is kept once and goes by its place. */
export class Texts {
  readonly all: string[] = [];
  private readonly places = new Map<string, number>();

  place(text: string): number {
    const found = this.places.get(text);
    if (found !== undefined) return found;
    this.places.set(text, this.all.length);
    return this.all.push(text) - 1;
  }
}
