// Tables of the rich-text editor, which have what Markdown's have: one header, and as many cells in each row.

import { Fragment, type Node } from "prosemirror-model";
import { type Command, type EditorState, Plugin, TextSelection, type Transaction } from "prosemirror-state";
import { addColumnAfter, addColumnBefore, addRowAfter, addRowBefore, deleteColumn, deleteRow, deleteTable, goToNextCell, isInTable, selectedRect } from "prosemirror-tables";
import type { TableEdit } from "../formats.ts";
import { type Align, schema } from "./schema.ts";

const NEW_ROWS = 3;
const NEW_COLUMNS = 3;

export const tableCommands: Readonly<Record<TableEdit, Command>> = {
  rowAbove: (state, dispatch) => isInTable(state) && selectedRect(state).top > 0 && addRowBefore(state, dispatch),
  rowBelow: addRowAfter,
  rowDelete: (state, dispatch) => isInTable(state) && selectedRect(state).map.height > 1 && deleteRow(state, dispatch),
  columnBefore: addColumnBefore,
  columnAfter: addColumnAfter,
  columnDelete: (state, dispatch) => isInTable(state) && selectedRect(state).map.width > 1 && deleteColumn(state, dispatch),
  alignLeft: align("left"),
  alignCenter: align("center"),
  alignRight: align("right"),
  tableDelete: deleteTable,
};

/** Put an empty table after the block at the cursor, or in place of an empty paragraph. */
export const insertTable: Command = (state, dispatch) => {
  if (isInTable(state)) return false;
  const { $from } = state.selection;
  const row = (type: "table_header" | "table_cell") => schema.nodes.table_row.create(null, Array.from({ length: NEW_COLUMNS }, () => schema.nodes[type].create()));
  const table = schema.nodes.table.create(null, [row("table_header"), ...Array.from({ length: NEW_ROWS - 1 }, () => row("table_cell"))]);
  if (dispatch === undefined) return true;
  const isEmpty = $from.parent.type === schema.nodes.paragraph && $from.parent.content.size === 0;
  const at = isEmpty ? $from.before() : $from.after(Math.max(1, $from.depth));
  const tr = state.tr.replaceWith(at, isEmpty ? $from.after() : at, table);
  dispatch(tr.setSelection(TextSelection.near(tr.doc.resolve(at + 2))).scrollIntoView());
  return true;
};

/** Move to the cell below; from the last row into a new one. */
export const enterInTable: Command = (state, dispatch) => {
  if (!isInTable(state)) return false;
  if (dispatch === undefined) return true;
  const rect = selectedRect(state);
  if (rect.bottom < rect.map.height) {
    dispatch(intoCell(state.tr, rect.tableStart, rect.bottom, rect.left));
    return true;
  }
  return addRowAfter(state, (tr) => dispatch(intoCell(tr, rect.tableStart, rect.bottom, rect.left)));
};

/** Put the cursor below a table. */
export const leaveTable: Command = (state, dispatch) => {
  if (!isInTable(state)) return false;
  const { tableStart, table } = selectedRect(state);
  const after = tableStart - 1 + table.nodeSize;
  const next = state.doc.resolve(after).nodeAfter;
  const tr = next?.type === schema.nodes.paragraph ? state.tr : state.tr.insert(after, schema.nodes.paragraph.create());
  dispatch?.(tr.setSelection(TextSelection.create(tr.doc, after + 1)).scrollIntoView());
  return true;
};

/** From cell to cell; beyond the first and last one the Tab key leaves the text. */
export const nextCell = goToNextCell(1);
export const previousCell = goToNextCell(-1);

function intoCell(tr: Transaction, tableStart: number, row: number, column: number): Transaction {
  let at = tableStart;
  const table = tr.doc.nodeAt(tableStart - 1);
  for (let index = 0; index < row; index++) at += table?.child(index).nodeSize ?? 0;
  at += 1;
  for (let index = 0; index < column; index++) at += table?.child(row).child(index).nodeSize ?? 0;
  return tr.setSelection(TextSelection.create(tr.doc, at + 1 + (table?.child(row).child(column).content.size ?? 0))).scrollIntoView();
}

/** Align the whole column, as Markdown has it. */
function align(to: Exclude<Align, null>): Command {
  return (state, dispatch) => {
    if (!isInTable(state)) return false;
    if (dispatch === undefined) return true;
    const { map, tableStart, left, right } = selectedRect(state);
    const { tr } = state;
    for (let row = 0; row < map.height; row++) {
      for (let column = left; column < right; column++) {
        const at = map.map[row * map.width + column] ?? 0;
        tr.setNodeAttribute(tableStart + at, "align", to);
      }
    }
    dispatch(tr);
    return true;
  };
}

/** Keeps tables as Markdown can write them, whatever was pasted or deleted. */
export const regularTables = new Plugin({
  appendTransaction(transactions, _before, state) {
    if (!transactions.some(({ docChanged }) => docChanged)) return null;
    return regularize(state);
  },
});

function regularize(state: EditorState): Transaction | null {
  const found: [number, Node, Node][] = [];
  state.doc.descendants((node, at) => {
    if (node.type !== schema.nodes.table) return !node.isTextblock;
    const regular = regularTable(node);
    if (regular !== null) found.push([at, node, regular]);
    return false;
  });
  if (found.length === 0) return null;
  const { tr } = state;
  for (const [at, node, regular] of found.toReversed()) tr.replaceWith(at, at + node.nodeSize, regular);
  return tr;
}

/** A table with one header and rows of the same length; null where it is so already. */
function regularTable(table: Node): Node | null {
  const { nodes } = schema;
  const rows = table.children.map((row) => row.children.flatMap((cell) => [cell, ...Array.from({ length: Number(cell.attrs["colspan"]) - 1 }, () => null)]));
  const width = Math.max(...rows.map(({ length }) => length));
  const isRegular = (cell: Node | null, row: number) => cell?.type === (row === 0 ? nodes.table_header : nodes.table_cell) && cell.attrs["colspan"] === 1 && cell.attrs["rowspan"] === 1;
  if (rows.every((row, at) => row.length === width && row.every((cell) => isRegular(cell, at)))) return null;
  const aligned = Array.from({ length: width }, (_, column) => (rows[0]?.[column]?.attrs["align"] ?? null) as Align);
  return nodes.table.create(
    null,
    rows.map((row, at) => {
      const type = at === 0 ? nodes.table_header : nodes.table_cell;
      return nodes.table_row.create(null, aligned.map((align, column) => type.create({ align }, row[column]?.content ?? Fragment.empty)));
    }),
  );
}
