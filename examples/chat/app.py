"""Chat with the documents of a folder: streamlit run examples/chat/app.py -- FOLDER (or tools/chat FOLDER)."""

import datetime
import sys
from pathlib import Path

import streamlit as st
import vdbx
from documents import answer, best_sentences, database_path, update, who_answers
from vdbx import F

root = Path(sys.argv[1]).resolve()
st.set_page_config(page_title=f"Chat with {root.name}")
st.title(f"Chat with {root.name}")
st.caption(who_answers())


@st.cache_resource(show_spinner="Reading the documents")
def open_documents(folder: Path):  # type: ignore[no-untyped-def]
    notes = vdbx.open(database_path(folder), sync=False).collection("documents", embed="local")
    return notes, update(notes, folder)


notes, report = open_documents(root)
with st.sidebar:
    if st.button("Read the folder again"):
        report = update(notes, root)
    chunks = [record.payload for record in notes.scan()]
    folders = st.multiselect("Folders", sorted({chunk["folder"] for chunk in chunks}))
    types = st.multiselect("Types", sorted({chunk["type"] for chunk in chunks}))
    since = st.date_input("Changed since", datetime.date(1970, 1, 1))
    st.caption(f"{len(chunks)} passages. {report}")
    st.text("\n".join(f"skipped {path}: {reason}" for path, reason in report.skipped))
for question, text, citations in st.session_state.setdefault("answered", []):
    st.chat_message("user").markdown(question)
    with st.chat_message("assistant"):
        st.markdown(text)
        for label, passage in citations:
            st.expander(label).text(passage)
if question := st.chat_input("Ask your documents"):
    st.chat_message("user").markdown(question)
    where = F.date >= since
    where = where & F.folder.in_(folders) if folders else where
    where = where & F.type.in_(types) if types else where
    hits = list(notes.search(question, k=4, filter=where))
    with st.chat_message("assistant"):
        text = st.write_stream(answer(question, hits, best_sentences(question, hits)))
    citations = [(f"[{number}] {hit['source']}, {hit['place']}", hit["text"]) for number, hit in enumerate(hits, 1)]
    st.session_state.answered.append((question, text, citations))
    st.rerun()  # shows it among the others, with its citations
