import { render } from "preact";
import { start } from "./state/actions";
import "./state/theme";
import "./styles/index.css";
import { App } from "./ui/App";

render(<App />, document.getElementById("app")!);
void start();
