import type { Session } from "../api/client";
import { ConfirmButton } from "../parts/ConfirmButton";
import { connected } from "../parts/words";
import { useCloseSession } from "./queries";

/** CloseSession ends one session, after a question that names it. */
export function CloseSession({ session, tab = 0 }: { session: Session; tab?: 0 | -1 }) {
  const close = useCloseSession(session);
  const host = session.server_id ?? "";
  return (
    <ConfirmButton
      label="Close"
      tab={tab}
      question={`Close ${session.owner}'s ${session.type} session on ${host}? ${connected(session["num-of-connections"])} Programs that run in it end.`}
      confirm="Close the session"
      action={close}
    />
  );
}
