const prefix = "dcvix.";

/** recall returns what this browser remembers under a name, "" if nothing. */
export function recall(name: string): string {
  try {
    return window.localStorage.getItem(prefix + name) ?? "";
  } catch {
    return ""; // storage is forbidden here
  }
}

/** remember keeps a value under a name for the next visit, where the browser allows it. */
export function remember(name: string, value: string): void {
  try {
    window.localStorage.setItem(prefix + name, value);
  } catch {
    // storage is forbidden here: the next visit asks again
  }
}

/** forget removes a value. */
export function forget(name: string): void {
  try {
    window.localStorage.removeItem(prefix + name);
  } catch {
    // storage is forbidden here: there was nothing
  }
}
