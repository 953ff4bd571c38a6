/** What is open stands in the address, so that it can be reloaded, shared on the machine and left with "back". */
import { signal } from "@preact/signals";

export type Route = { page: "home" } | { page: "image"; id: string } | { page: "job"; id: string };

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

export function go(to: Route): void {
  location.hash = to.page === "home" ? "" : `/${to.page}/${to.id}`;
}

function parse(hash: string): Route {
  const match = /^#\/(image|job)\/([\w-]+)$/.exec(hash);
  return match ? { page: match[1] as "image" | "job", id: match[2]! } : { page: "home" };
}
