// A picture of a terminal: what tmux has on its screen, drawn by the browser.

import { execFileSync } from "node:child_process";
import type { Browser } from "playwright-core";
import { binary } from "./people";
import type { Terminal } from "./terminal";

const columns = 84;
const lines = 9;

// The colours of the page's dark theme, for the codes that the client uses.
const palette: Record<string, string> = { "31": "#f28b72", "32": "#8fce8f", "33": "#e8c06a", "34": "#8fb4e8", "35": "#d79ad7", "36": "#7fd0c8" };

// spans turns a screen with SGR codes into HTML. The text of the screen is escaped first.
function spans(screen: string): string {
  const escaped = screen.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  let opened = false;
  return escaped.replaceAll(/\x1b\[([\d;]*)m/g, (_, codes: string) => {
    const close = opened ? "</span>" : "";
    const styles = codes.split(";").flatMap((code) => {
      if (code === "1") return ["font-weight:600"];
      if (code === "2") return ["opacity:.6"];
      const color = palette[code];
      return color === undefined ? [] : [`color:${color}`];
    });
    opened = styles.length > 0;
    return opened ? `${close}<span style="${styles.join(";")}">` : close;
  }) + (opened ? "</span>" : "");
}

const tmux = (...args: string[]): string => execFileSync("tmux", ["-L", "snug-picture", ...args], { encoding: "utf8" });

// pictureTerminal draws `snug chat` as it stands in a terminal.
export async function pictureTerminal(browser: Browser, person: Terminal, room: string, path: string): Promise<void> {
  const command = `SNUG_HOME='${person.home}' '${binary}' chat ${room}`;
  tmux("new-session", "-d", "-x", String(columns), "-y", String(lines), command);
  let screen = "";
  for (const deadline = Date.now() + 10_000; Date.now() < deadline && !screen.includes("nobody else"); ) screen = tmux("capture-pane", "-p", "-e");
  tmux("kill-server");
  const page = await browser.newPage({ viewport: { width: 900, height: 240 }, deviceScaleFactor: 1 });
  await page.setContent(`<body style="margin:0;background:#1b1714;color:#f1e9df;font:15px/1.55 'DejaVu Sans Mono',monospace">
    <pre style="margin:0;padding:22px 26px;font:inherit"><span style="opacity:.6">$</span> snug chat ${room}\n${spans(screen)}</pre></body>`);
  await page.screenshot({ path });
  await page.close();
}
