import type { components } from "./schema.gen";

type Problem = components["schemas"]["Problem"];

/** ApiError is a refusal of the director; its message is the director's own sentence. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string; // last part of the problem type; "" when the answer was no problem
  readonly requestId: string; // as in the director's log; may be ""
  readonly prompt: string; // with code otp-required
  readonly challenge: string; // with code otp-required

  constructor(message: string, status: number, problem: Partial<Problem> = {}) {
    super(message);
    this.status = status;
    this.code = problem.type?.replace(/^urn:dcvix:/, "") ?? "";
    this.requestId = problem.instance ?? "";
    this.prompt = problem.prompt ?? "";
    this.challenge = problem.challenge ?? "";
  }
}

/** UnreachableError says that no answer came at all. */
export class UnreachableError extends Error {
  override readonly name = "UnreachableError";

  constructor() {
    super("The director cannot be reached. Check your network and try again.");
  }
}

/** isLoggedOut tells the error that a new login would mend. */
export function isLoggedOut(error: Error | null): boolean {
  return error instanceof ApiError && error.status === 401;
}

/** refusal makes an error of an answer that is none of 200, whatever its body is. */
export function refusal(body: unknown, response: Response): ApiError {
  const requestId = response.headers.get("X-Request-Id") ?? "";
  if (isProblem(body)) {
    return new ApiError(body.detail, response.status, { ...body, instance: body.instance || requestId });
  }
  const plain = response.headers.get("Content-Type")?.startsWith("text/plain") ? body : "";
  const sentence = typeof plain === "string" && plain.trim() !== "" ? plain.trim() : undefined;
  return new ApiError(
    sentence ??
      `The director answered with status ${String(response.status)} and no reason. Try again in a moment.`,
    response.status,
    { instance: requestId },
  );
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "detail" in body && typeof body.detail === "string";
}
