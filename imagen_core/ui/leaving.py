"""How the page learns that a visitor has left.

Gradio has every tab hold a connection for that, as long as the tab is there. Over HTTP/1.1 a browser has six
connections to a server, for all of its tabs together: with the sixth tab nothing went on in any of them. So no tab
holds one (`serving.launch`), and the page says itself that it is left. Where it could not, a run ends as soon as it has
something to tell: its own stream is gone then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gradio as gr

# A request with `keepalive` outlives the page; it is the one that a press on the button sends.
_WATCH = """(session) => {
  const { id } = window.gradio_config.dependencies.find((each) => each.api_name === 'leave');
  const address = `${window.gradio_config.root}${window.gradio_config.api_prefix}/run/predict`;
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({ data: [], fn_index: id, session_hash: session });
  window.addEventListener('pagehide', () => fetch(address, { method: 'POST', headers, body, keepalive: true }));
}"""


def connect_leaving(blocks: gr.Blocks, leave: Sequence[Callable[[gr.Request], None]]) -> None:
    """Call all of `leave` when a visitor closes the page, loads it anew or goes elsewhere."""

    def left(request: gr.Request) -> None:
        for each in leave:
            each(request)

    def session_of(request: gr.Request) -> str:
        return request.session_hash or ""

    button = gr.Button("Leave", elem_id="leave", elem_classes="unseen")
    button.click(left, None, None, queue=False, api_name="leave", api_visibility="private")
    session = gr.Textbox(elem_classes="unseen")
    known = blocks.load(session_of, None, session, queue=False, api_visibility="private", show_progress="hidden")
    known.then(None, session, None, js=_WATCH, api_visibility="private")
