import { HashRouter } from "react-router";

import { mount } from "./app/mount";
import { Portal } from "./app/Portal";

mount(
  <HashRouter>
    <Portal />
  </HashRouter>,
);
