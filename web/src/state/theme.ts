/** Light or dark: the system's choice unless the person makes one. */
import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "roadlift-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = localStorage.getItem(KEY);

export const theme = signal<Theme>(chosen === "light" || chosen === "dark" ? chosen : fromSystem());

system.addEventListener("change", () => {
  if (!localStorage.getItem(KEY)) theme.value = fromSystem();
});

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});

export function switchTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem(KEY, theme.value);
}

function fromSystem(): Theme {
  return system.matches ? "dark" : "light";
}
