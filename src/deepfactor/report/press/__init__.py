"""How a page looks: words in two languages, numbers, tables, drawings, HTML and the workbook. It knows no results."""
