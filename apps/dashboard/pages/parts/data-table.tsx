import {
  type ColumnDef,
  columnVisibilityFeature,
  createColumnHelper,
  type RowData,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';

const features = tableFeatures({ columnVisibilityFeature });

export interface Column<Row> {
  id: string;
  header: string;
  /** Pixels; the column that grows has at least that many. */
  width: number;
  grows?: true;
  isNumber?: true;
  cell: (row: Row) => React.ReactNode;
}

export interface DataTableProps<Row> {
  /** What the rows are, for screen readers. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowId: (row: Row) => string;
  /** Ids of columns that are not shown. */
  hidden?: readonly string[];
  currentId?: string | undefined;
  onOpen?: (row: Row) => void;
  /** Asked for when the end of the list comes into sight. */
  onEnd?: () => void;
}

const ROW_HEIGHT = 34;

/** A list of any length: only the rows in sight are in the page. j and k move, o or Enter opens. */
export function DataTable<Row extends RowData>(props: DataTableProps<Row>) {
  const { label, rows, hidden = [] } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const byId = useMemo(() => new Map(props.columns.map((column) => [column.id, column])), [props.columns]);
  const columns = useColumns(props.columns);
  const columnVisibility = useMemo(() => Object.fromEntries(hidden.map((id) => [id, false])), [hidden]);
  const table = useTable({
    features,
    columns,
    data: rows as Row[],
    getRowId: props.rowId,
    state: { columnVisibility },
  });
  const model = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: model.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? 0;
  const { onEnd } = props;
  useEffect(() => {
    if (model.length > 0 && lastShown >= model.length - 10) onEnd?.();
  }, [lastShown, model.length, onEnd]);
  const keys = useRowKeys(props, (index) => virtual.scrollToIndex(index));
  const style = (id: string) => cellStyle(byId.get(id));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section className="table-scroll" ref={scroll} tabIndex={0} aria-label={label} onKeyDown={keys.onKeyDown}>
      {/* Rows are laid out one by one, so that only those in sight exist; styles.css takes the table's own layout away. */}
      <table className="table" aria-label={label} aria-rowcount={rows.length + 1}>
        <thead>
          <tr aria-rowindex={1}>
            {table.getHeaderGroups()[0]?.headers.map((header) => (
              <th key={header.id} scope="col" {...style(header.column.id)}>
                <table.FlexRender header={header} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody style={{ height: virtual.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = model[index];
            if (row === undefined) return null;
            return (
              <tr
                key={row.id}
                aria-rowindex={index + 2}
                aria-current={row.id === (keys.currentId ?? props.currentId) ? 'true' : undefined}
                style={{ transform: `translateY(${start}px)` }}
              >
                {row.getVisibleCells().map((cell) => (
                  <td key={cell.id} {...style(cell.column.id)}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

function useColumns<Row extends RowData>(columns: readonly Column<Row>[]): ColumnDef<typeof features, Row>[] {
  return useMemo(() => {
    const helper = createColumnHelper<typeof features, Row>();
    return columns.map(({ id, header, cell }) =>
      helper.display({ id, header, cell: ({ row }) => cell(row.original) }),
    ) as ColumnDef<typeof features, Row>[];
  }, [columns]);
}

function cellStyle<Row>(column: Column<Row> | undefined) {
  const { width = 100, grows, isNumber } = column ?? {};
  return {
    className: `${grows ? 'grow' : ''}${isNumber ? ' number' : ''}`,
    style: grows ? { flexBasis: width, minWidth: width, width: 0 } : { flex: `0 0 ${width}px` },
  };
}

/** j k o as in mail programs; Enter opens, too. */
function useRowKeys<Row>({ rows, rowId, onOpen }: DataTableProps<Row>, show: (index: number) => void) {
  const [currentId, setCurrentId] = useState<string>();
  const move = (by: number) => {
    const from = rows.findIndex((row) => rowId(row) === currentId);
    const to = Math.min(rows.length - 1, Math.max(0, from + by));
    const row = rows[to];
    if (row === undefined) return;
    setCurrentId(rowId(row));
    show(to);
  };
  const open = () => {
    const row = rows.find((each) => rowId(each) === currentId);
    if (row !== undefined) onOpen?.(row);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === 'o' || (event.key === 'Enter' && event.target === event.currentTarget)) open();
    else return;
    event.preventDefault();
  };
  return { currentId, onKeyDown };
}
