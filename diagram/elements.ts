/** Elements of the page, made and found with a type. */

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name, className = "", text = "",
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export function find(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element "${id}"`);
  return found;
}

export function button(label: string, title: string, act: () => void): HTMLButtonElement {
  const made = element("button", "", label);
  made.type = "button";
  made.title = title;
  made.addEventListener("click", act);
  return made;
}

/** A button that is on or off. */
export function chip(label: string, colour: string | null, isOn: () => boolean, act: (only: boolean) => void): Chip {
  const made = element("button", "chip");
  made.type = "button";
  if (colour !== null) {
    const dot = element("i");
    dot.style.background = colour;
    made.append(dot);
  }
  made.append(label);
  made.title = `${label}: click to show or hide, double click for this alone`;
  const show = (): void => {
    made.classList.toggle("off", !isOn());
    made.setAttribute("aria-pressed", String(isOn()));
  };
  made.addEventListener("click", (event) => act(event.shiftKey || event.altKey));
  made.addEventListener("dblclick", () => act(true));
  show();
  return { element: made, show };
}

export interface Chip {
  readonly element: HTMLElement;
  /** Shows whether it is on. */
  show(): void;
}
