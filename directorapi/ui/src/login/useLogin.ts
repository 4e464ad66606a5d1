import { useMutation, useQueryClient } from "@tanstack/react-query";

import { answer, loginApi } from "../api/client";
import type { components } from "../api/schema.gen";
import { beginLogin, leave, type Realm } from "./state";

export type Credentials = components["schemas"]["LoginRequest"];

/** useLogin logs somebody in. */
export function useLogin(realm: Realm) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Credentials) =>
      answer(
        realm === "admin"
          ? loginApi.POST("/v1/admin/login", { body })
          : loginApi.POST("/v1/user/login", { body }),
      ),
    onSuccess: (_empty, { userID }) => beginLogin(client, userID),
  });
}

/** useLogout logs out, here and at the director. */
export function useLogout() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => answer(loginApi.POST("/v1/logout", { parseAs: "text" })),
    onSuccess: () => leave(client),
  });
}
