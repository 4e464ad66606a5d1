/** A Connection is all that a viewer needs for one session. Its token is a secret. */
export interface Connection {
  host: string;
  port: number;
  path: string; // of DCV's web pages on that host
  sessionId: string;
  token: string;
  expiresAt: number; // milliseconds since the epoch; Infinity when the director does not say
}

/** viewerURL opens the session in the native DCV viewer. */
export function viewerURL(connection: Connection): string {
  return `dcv://${address(connection)}`;
}

/** browserURL opens the session in DCV's own web pages. */
export function browserURL(connection: Connection): string {
  return `https://${address(connection)}`;
}

// Everything that a host could have chosen is escaped; a host that is none is
// refused, since it would change where the token goes.
function address({ host, port, path, token, sessionId }: Connection): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) {
    throw new Error("The director named a host whose name cannot be used. Tell your administrator.");
  }
  const segments = path.split("/").map(encodeURIComponent).join("/");
  const rooted = segments.startsWith("/") ? segments : `/${segments}`;
  return `${host}:${String(port)}${rooted}?authToken=${encodeURIComponent(token)}#${encodeURIComponent(sessionId)}`;
}

/**
 * connectionFile is a .dcv file for the native viewer. The keys are lower case
 * and the values bare; without the version the viewer refuses the file.
 * https://docs.aws.amazon.com/dcv/latest/userguide/using-connection-file.html
 */
export function connectionFile({ host, port, path, sessionId, token }: Connection): string {
  const lines = [
    ["host", host],
    ["port", String(port)],
    ...(path === "/" ? [] : [["weburlpath", path]]),
    ["sessionid", sessionId],
    ["authtoken", token],
  ].map(([key, value]) => `${key ?? ""}=${oneLine(value ?? "")}\n`);
  return `[version]\nformat=1.0\n\n[connect]\n${lines.join("")}`;
}

// A line break in a value would be a key of its own.
function oneLine(value: string): string {
  if (/\p{Cc}/u.test(value))
    throw new Error("The director sent a value that breaks the line. Tell your administrator.");
  return value;
}

/** fileName names a .dcv file after its host. */
export function fileName({ host }: Connection): string {
  return `${host.replaceAll(/[^A-Za-z0-9.-]/g, "_")}.dcv`;
}
