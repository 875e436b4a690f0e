"""How the page looks. System fonts only, so that nothing is fetched from elsewhere."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

_SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


SHARED_JS = Path(__file__).with_name("shared.js").read_text(encoding="utf-8")
"""Runs before the scripts of the viewer and the player."""

PENDING = ["pending"]
"""Classes of what is on the page and not shown yet; without them it is shown."""


def theme() -> gr.themes.Base:
    """Soft, in indigo, with the fonts that the visitor's system has."""
    return gr.themes.Soft(
        primary_hue="indigo", secondary_hue="indigo", neutral_hue="slate",
        font=_SANS, font_mono=_MONO,
    ).set(
        # One shade darker than Soft's own where it carries words, for a contrast of 4.5 and more.
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        color_accent="*primary_600",
        color_accent_soft="*primary_100",
        block_title_text_color="*primary_700",
        block_title_text_color_dark="white",
        block_label_text_color="*primary_700",
        block_label_text_color_dark="*primary_200",
        checkbox_label_background_fill_selected="*primary_600",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        # Nothing below 14 pixels, for those at the back of a class.
        block_info_text_size="*text_md",
        button_small_text_size="14px",
    )  # fmt: skip


CSS = """
.gradio-container { max-width: 1240px !important; margin: 0 auto !important; }
#top { align-items: center; flex-wrap: nowrap; }
#tour { flex: none; width: auto; min-width: 0; }
#header h1 { margin: 0 0 .25rem; font-size: 1.55rem; }
#header p { margin: 0; line-height: 1.4; font-size: .95rem; }
.note, .note p { font-size: .9rem; line-height: 1.4; }
.note p { margin: 0 0 .35rem; opacity: .9; }
/* Gradio leaves the frame of a row of buttons behind where there are no buttons. */
.icon-button-wrapper:not(:has(button, a)) { display: none; }

.gradio-container :is(.min_value, .max_value, .reset-button) { font-size: 14px; }

#tasks { gap: .5rem; }
/* Tabs whose names grow, in another language, go into the menu, and do not widen the page. */
.tab-container:not(.visually-hidden) { contain: inline-size; }
.dark .tab-container button.selected { color: var(--primary-300); }
.introduction p { margin: 0; line-height: 1.4; font-size: .95rem; }
.stage { gap: 1.25rem; }
#seen { align-items: center; }
#framed { border-radius: var(--radius-md); }
#framed:has(img) { background: white; }
#framed:not(:has(img)), #words:empty { visibility: hidden; }
#known:not(:has(.known)) { margin-top: calc(-1 * var(--layout-gap)); }
.known { display: flex; align-items: center; gap: .6rem; }
.known img { flex: none; border-radius: var(--radius-md); background: white; }
.known p { margin: 0; font-size: .9rem; line-height: 1.4; }
.known.far { padding: .5rem .6rem; border-radius: var(--radius-md);
             border-left: 3px solid var(--primary-600); background: var(--primary-50); }
.dark .known.far { background: var(--neutral-800); }
.examples .gallery { display: flex; flex-wrap: wrap; gap: 6px; }
.examples .gallery-item .container { width: 40px; height: 40px; border: 0; }
.examples .gallery-item { border: 1px solid var(--border-color-primary); background: white;
                          border-radius: var(--radius-md); overflow: hidden; padding: 2px; }
.examples .gallery-item:hover { border-color: var(--primary-500); }
.examples .gallery-item img { width: 40px; height: 40px; object-fit: contain; }
.sounds .gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); }
.sounds .gallery-item, .sounds .gallery-item .container { width: auto; height: auto; }
.sounds .gallery-item { padding: .3rem .35rem; font-size: .9rem; background: none; }
.sounds .gallery-item .gallery { display: block; padding: 0; text-align: center; }
.sounds .gallery-item::before { content: ""; display: block; height: 1.6rem; margin-bottom: .1rem;
                                background: var(--primary-500);
                                mask: no-repeat center / 100% 100%; }
/* A clip is heard in the one player, beside what was made of it. */
#sound-clip :is(.controls, .timestamps) { display: none; }
.examples, .examples > * { gap: .35rem; }
.examples .label { font-size: .9rem; font-weight: 500; margin: 0; }
.examples .label svg { display: none; }

.evidence { display: grid !important; gap: 1.5rem 2rem !important; align-items: start;
            grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.findings { grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.findings > .column { padding: .8rem 1rem; border: 1px solid var(--border-color-primary);
                      border-radius: var(--radius-lg); }
.js-plotly-plot .main-svg { overflow: visible !important; }  /* longer words of other languages */
.js-plotly-plot text { fill: var(--body-text-color) !important; }
.modebar { display: none !important; }
.evidence > .column { gap: .5rem; min-width: 0 !important; }

.hint { display: flex; flex-direction: column; justify-content: center; gap: .4rem;
        min-height: 300px; width: 100%; padding: 1rem 2rem;
        text-align: center; opacity: .8;
        border: 1px dashed var(--border-color-primary); border-radius: var(--radius-lg); }
.hint p { margin: 0; }
#watch { gap: .6rem; }
#caption p { margin: 0; line-height: 1.4; font-size: .95rem; }
/* The stage keeps its size while there is nothing to play yet. */
.orbit { aspect-ratio: 5 / 4; max-height: 480px; background: #f1f3f6; }
.orbit .empty { min-height: 100%; }
.orbit video { max-height: 480px; background: #f1f3f6; }
.pending { display: none !important; }
:is(#results, #sound-results, #evidence-page) h2 { margin: .5rem 0 0; font-size: 1.1rem; }
:is(#results, #sound-results, #evidence-page) :is(td, th) {
  padding: .25rem .6rem; font-size: .9rem; }
:is(#results, #sound-results, #evidence-page) :is(table, tr, td, th) {
  border-width: 0 !important; }
:is(#results, #sound-results, #evidence-page) :is(tbody td, thead th) {
  border-bottom: 1px solid var(--border-color-primary) !important; }
#sound-results td + td { white-space: nowrap; }
:is(#object-viewer, #known, #guess-object) .html-container { padding: 0; }
:is(#status, #sound-status, #race-status) { min-height: 2.4rem; }
/* Gradio says Error over a run that was stopped too; what failed is said in words below it. */
:is(#status, #sound-status, #race-status) .wrap:has(> .error) { display: none; }
#race-pictures table { border-collapse: collapse; margin-top: .5rem; }
#race-pictures :is(table, tr, th, td) { border: 0; }
#race-pictures :is(th, td) { padding: .25rem; width: 25%; max-width: 130px; }
#race-pictures th { font-weight: 500; font-size: .9rem; text-align: left; }
#race-pictures img { width: 100%; display: block; border-radius: var(--radius-sm); }
.status.stale span { flex: 1; font-weight: 500; }
body:has(.stale) :is(#object-viewer, #results, #known) { opacity: .45; }
/* While somebody guesses which model is which, nothing that names them is to be seen. */
body:has(#guess-object [data-hides]) :is(#stream, #object-viewer, #results) {
  display: none !important; }
.dark #sheet img { filter: brightness(.85); }
.status { display: flex; align-items: center; gap: .75rem; min-height: 1.5rem; }
.status progress { appearance: none; flex: 1; height: .5rem; border: 0; border-radius: 1rem;
                   overflow: hidden; background: var(--border-color-primary); }
.status progress::-webkit-progress-bar { background: var(--border-color-primary); }
.status progress::-webkit-progress-value { background: var(--primary-500);
                                           transition: width .3s ease; }
.status progress::-moz-progress-bar { background: var(--primary-500); }
.status span { flex: 0 1 17rem; font-size: .9rem; }

/* For a projector: larger type, and the room for it. */
html.large, html.large .gradio-container { --text-xs: 15px; --text-sm: 17px; --text-md: 20px;
                                           --text-lg: 22px; --text-xl: 27px; }
html.large { font-size: 21px; }
html.large .gradio-container { max-width: 1700px !important; }

@media (max-width: 640px) {
  #top { flex-wrap: wrap; gap: .25rem; }
  #header, #tour { flex: 1 0 100%; }
  #stage > .column:has(#watch) { order: -1; }  /* on a phone the result stands above the form */
  .status { flex-direction: column; align-items: stretch; gap: .3rem; }
  .status span, .status progress { flex: none; width: 100%; }
}
"""
