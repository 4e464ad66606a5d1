const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const timeOfDay = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayAndTime = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
});
const wholeDate = new Intl.DateTimeFormat("en-GB", { dateStyle: "long" });
const exactly = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/** span says a length of time in its largest unit: "40 seconds", "3 hours". */
export function span(milliseconds: number): string {
  if (milliseconds < minute) return count(Math.max(0, Math.floor(milliseconds / second)), "second");
  if (milliseconds < hour) return count(Math.floor(milliseconds / minute), "minute");
  if (milliseconds < 2 * day) return count(Math.floor(milliseconds / hour), "hour");
  return count(Math.floor(milliseconds / day), "day");
}

/** ago says how long a moment is past: "just now", "4 minutes ago", "never". */
export function ago(moment: string | null | undefined, now: number): string {
  if (!moment) return "never";
  const past = now - Date.parse(moment);
  return past < 5 * second ? "just now" : `${span(past)} ago`;
}

/** clock says when a moment was: the time of day if it was today, else the day too. */
export function clock(moment: string, now: number): string {
  const then = new Date(moment);
  return then.toDateString() === new Date(now).toDateString()
    ? timeOfDay.format(then)
    : dayAndTime.format(then);
}

/** date says a day, with its year: "20 November 2036". */
export function date(moment: string): string {
  return wholeDate.format(new Date(moment));
}

/** exact says a moment in full, for hovering. */
export function exact(moment: string | null | undefined): string | undefined {
  return moment ? exactly.format(new Date(moment)) : undefined;
}

/** count says how many: "1 client", "no clients", "3 clients". */
export function count(n: number, noun: string): string {
  return `${n === 0 && noun !== "second" ? "no" : String(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** gibibytes says an amount of memory. */
export function gibibytes(bytes: number): string {
  const amount = bytes / 2 ** 30;
  return `${amount.toFixed(amount < 10 ? 1 : 0)} GiB`;
}

/** connected says how many clients look at a session. */
export function connected(clients: number): string {
  if (clients === 0) return "Nobody is connected.";
  return `${count(clients, "client")} ${clients === 1 ? "is" : "are"} connected.`;
}
