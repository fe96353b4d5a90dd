import { mount } from "svelte";
import { Core } from "./core/core";
import { startWorker } from "./core/worker";
import { App as Model } from "./model/app.svelte";
import App from "./view/App.svelte";
import { deviceName } from "./view/browser";
import { later } from "./view/later.svelte";
import { takeInvites } from "./view/link";
import "./view/app.css";

const target = document.getElementById("app");
if (target === null) throw new Error("internal error: the page has no #app");

const model = new Model(new Core(startWorker()), deviceName(), takeInvites());
mount(App, { target, props: { app: model } });
void model.start().then(() => later.whenIdle());
