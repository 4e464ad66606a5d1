import type { Session } from "../api/client";
import { ConfirmButton } from "../parts/ConfirmButton";
import { connected } from "../parts/words";
import { useCloseSession } from "../sessions/queries";

/** CloseButton ends one of the caller's own sessions. */
export function CloseButton({ session, server }: { session: Session; server: string }) {
  const close = useCloseSession(session);
  return (
    <ConfirmButton
      label="Close"
      question={`Close your ${session.type} session on ${server}? ${connected(session["num-of-connections"])} Programs that run in it end.`}
      confirm="Close the session"
      action={close}
    />
  );
}
