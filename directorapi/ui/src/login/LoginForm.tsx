import { Anchor, Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type SubmitEvent, useEffect, useRef, useState } from "react";

import { ApiError } from "../api/errors";
import { ErrorNote } from "../parts/ErrorNote";
import { loginOptionsQuery, type Realm } from "./state";
import { useLogin } from "./useLogin";

/**
 * LoginForm asks for a name and a password, for a code where the director says
 * so, and for a second step where the login backend wants one. With `user` it
 * asks for that person's password only.
 */
export function LoginForm({ realm, user = "" }: { realm: Realm; user?: string }) {
  const options = useQuery(loginOptionsQuery);
  const login = useLogin(realm);
  const [userID, setUserID] = useState(user);
  const [password, setPassword] = useState("");
  const [otp, setOTP] = useState("");
  const field = useRef<HTMLInputElement>(null);

  const second =
    login.error instanceof ApiError && login.error.code === "otp-required" ? login.error : undefined;
  const mode = options.data?.otp ?? "never";

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const again = () => {
      field.current?.focus(); // most often it is the password that is wrong
      field.current?.select();
    };
    const step = second ? { challenge: second.challenge } : {};
    login.mutate({ userID, password, otp, ...step }, { onError: again });
    setOTP(""); // a code is good once
  };

  if (second) {
    return (
      <form onSubmit={submit} aria-label="Second step">
        <Stack>
          <Code
            key={second.challenge}
            label={second.prompt || "Code"}
            value={otp}
            onChange={setOTP}
            required
            focused
          />
          <Button type="submit" loading={login.isPending}>
            Log in
          </Button>
          {login.isPending && <StillWaiting />}
          <Anchor component="button" type="button" size="sm" onClick={login.reset}>
            Start again
          </Anchor>
        </Stack>
      </form>
    );
  }
  return (
    <form onSubmit={submit} aria-label="Log in">
      <Stack>
        {user === "" ? (
          <TextInput
            label="User"
            value={userID}
            onChange={(event) => {
              setUserID(event.currentTarget.value);
            }}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            withAsterisk={false}
            autoFocus
            data-autofocus
          />
        ) : (
          <Text>
            Password for <b>{user}</b>
          </Text>
        )}
        <PasswordInput
          ref={field}
          label="Password"
          value={password}
          onChange={(event) => {
            setPassword(event.currentTarget.value);
          }}
          autoComplete="current-password"
          required
          withAsterisk={false}
          autoFocus={user !== ""}
          data-autofocus={user !== "" || undefined}
        />
        {mode !== "never" && (
          <Code
            label={mode === "required" ? "Code" : "Code (if you have one)"}
            value={otp}
            onChange={setOTP}
            required={mode === "required"}
          />
        )}
        <ErrorNote error={login.error} ofLogin />
        <Button type="submit" loading={login.isPending}>
          Log in
        </Button>
        {login.isPending && <StillWaiting />}
      </Stack>
    </form>
  );
}

// A backend that sends a message to a phone answers when the person has, and says
// nothing before.
function StillWaiting() {
  const [long, setLong] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      setLong(true);
    }, 3_000);
    return () => {
      clearTimeout(timer);
    };
  }, []);
  return (
    <Text size="sm" role="status">
      {long && "Waiting for the login service. If your phone shows a message, confirm it there …"}
    </Text>
  );
}

interface CodeField {
  label: string;
  value: string;
  onChange: (value: string) => void;
  required: boolean;
  focused?: boolean;
}

function Code({ label, value, onChange, required, focused = false }: CodeField) {
  return (
    <TextInput
      label={label}
      value={value}
      onChange={(event) => {
        onChange(event.currentTarget.value);
      }}
      autoComplete="one-time-code"
      required={required}
      withAsterisk={false}
      autoFocus={focused}
    />
  );
}
