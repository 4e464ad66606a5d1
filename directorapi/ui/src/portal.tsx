import { mount } from "./app/mount";
import { Portal } from "./app/Portal";

mount(<Portal />);
