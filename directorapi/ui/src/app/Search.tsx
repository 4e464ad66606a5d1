import { Combobox, Kbd, TextInput, useCombobox } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useNavigate } from "react-router";

import { agentsQuery } from "../agents/queries";
import { hostsQuery } from "../hosts/queries";
import { useKeys } from "../keys/keys";
import { keyOfSession, sessionsQuery } from "../sessions/queries";

interface Found {
  group: string;
  to: string;
  words: string;
}

const most = 5; // of each kind

/** Search finds hosts, sessions, agents and people by a part of their names. */
export function Search() {
  const [text, setText] = useState("");
  const box = useCombobox({
    onDropdownClose: () => {
      box.resetSelectedOption();
    },
  });
  const navigate = useNavigate();
  const field = useRef<HTMLInputElement>(null);
  useKeys([{ keys: "/", does: "Search everything", run: () => field.current?.select() }]);
  const found = useFound(text.trim(), box.dropdownOpened);
  const groups = [...new Set(found.map(({ group }) => group))];
  return (
    <Combobox
      store={box}
      withinPortal={false}
      onOptionSubmit={(to) => {
        setText("");
        box.closeDropdown();
        void navigate(to);
      }}
    >
      <Combobox.Target>
        <TextInput
          className="search"
          type="search"
          size="sm"
          aria-label="Search everything"
          placeholder="Search everything"
          rightSection={<Kbd size="xs">/</Kbd>}
          rightSectionPointerEvents="none"
          autoComplete="off"
          spellCheck={false}
          ref={field}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            box.openDropdown();
            box.updateSelectedOptionIndex("selected");
          }}
          onFocus={() => {
            box.openDropdown();
          }}
          onBlur={() => {
            box.closeDropdown();
          }}
        />
      </Combobox.Target>
      <Combobox.Dropdown hidden={text.trim() === ""}>
        <Combobox.Options aria-label="What was found">
          {groups.map((group) => (
            <Combobox.Group key={group} label={group}>
              {found
                .filter((one) => one.group === group)
                .map(({ to, words }) => (
                  <Combobox.Option key={to} value={to} className="name">
                    {words}
                  </Combobox.Option>
                ))}
            </Combobox.Group>
          ))}
          {found.length === 0 && <Combobox.Empty>Nothing has this in its name</Combobox.Empty>}
        </Combobox.Options>
      </Combobox.Dropdown>
    </Combobox>
  );
}

function useFound(text: string, asked: boolean): Found[] {
  const enabled = asked && text !== "";
  const hosts = useQuery({ ...hostsQuery, enabled }).data ?? [];
  const sessions = useQuery({ ...sessionsQuery, enabled }).data ?? [];
  const agents = useQuery({ ...agentsQuery, enabled }).data ?? [];
  if (!enabled) return [];
  const part = text.toLowerCase();
  const has = (name: string) => name.toLowerCase().includes(part);
  const people = [...new Set(sessions.map(({ owner }) => owner))];
  const open = encodeURIComponent;
  return [
    ...first(hosts, ({ hostname, tags }) => has(hostname) || tags.some(has)).map(({ hostname }) => ({
      group: "Hosts",
      to: `/hosts?open=${open(hostname)}`,
      words: hostname,
    })),
    ...first(people, has).map((owner) => ({
      group: "People with a session",
      to: `/sessions?owner=${open(owner)}`,
      words: owner,
    })),
    ...first(sessions, ({ id }) => has(id)).map((session) => ({
      group: "Sessions",
      to: `/sessions?open=${open(keyOfSession(session))}`,
      words: `${session.id}: ${session.owner} on ${session.server_id ?? ""}`,
    })),
    ...first(agents, ({ hostname, guid, fingerprint }) => has(hostname) || has(guid) || has(fingerprint)).map(
      ({ guid, hostname, state }) => ({
        group: "Agents",
        to: `/agents?open=${open(guid)}`,
        words: `${hostname}, ${state}`,
      }),
    ),
    { group: "People", to: `/access?user=${open(text)}`, words: `What may ${text} reach?` },
  ];
}

function first<T>(all: readonly T[], takes: (one: T) => boolean): T[] {
  const found: T[] = [];
  for (const one of all) {
    if (found.length === most) break;
    if (takes(one)) found.push(one);
  }
  return found;
}
