import "./overview.css";

import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { JoinSteps } from "../agents/JoinSteps";
import { Page } from "../app/Page";
import { Ago } from "../parts/Ago";
import { ErrorNote } from "../parts/ErrorNote";
import { StateWord } from "../parts/StateWord";
import { AttentionList } from "./AttentionList";
import { Figures } from "./Figures";
import { type Overview, overviewQuery } from "./queries";

/** OverviewPage answers whether anything needs an admin, and then how things are. */
export function OverviewPage() {
  const overview = useQuery(overviewQuery);
  const need = overview.data?.attentionTotal ?? 0;
  return (
    <Page title="Overview" about={need > 0 ? `${String(need)} need${need === 1 ? "s" : ""} you` : ""}>
      <ErrorNote title="Cannot say how things are" error={overview.error} />
      {overview.isPending && <Skeleton role="status" height={280} aria-label="Loading the overview" />}
      {overview.data && <Shown overview={overview.data} />}
    </Page>
  );
}

function Shown({ overview }: { overview: Overview }) {
  const { pending, registered, revoked } = overview.agents;
  return (
    <>
      {overview.attention.length > 0 ? (
        <AttentionList overview={overview} />
      ) : (
        <AllWell overview={overview} />
      )}
      {pending + registered + revoked === 0 && <JoinSteps title="No host has joined yet" />}
      <Figures overview={overview} />
    </>
  );
}

function AllWell({ overview }: { overview: Overview }) {
  return (
    <div className="all-well" role="status">
      <StateWord tone="ready">
        <b>All well</b>
        {overview.lastReportAt ? (
          <>
            , last report <Ago at={overview.lastReportAt} />
          </>
        ) : (
          ", no host has reported yet"
        )}
      </StateWord>
    </div>
  );
}
