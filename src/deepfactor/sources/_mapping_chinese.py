"""What a mapping's keys mean, in Chinese; the English stands in the docstrings of their specs."""

from __future__ import annotations

from collections.abc import Mapping

from deepfactor.core.words import Text

#: Headings of the reference, by spec.
HEADS: Mapping[str, Text] = {
    "Mapping": Text("At the top", "顶层"),
    "Pattern": Text("Forms of codes", "代码形式"),
    "TableMapping": Text("A table", "一张表"),
    "Origin": Text("Where rows come from, of every part that reads a file", "数据来自何处（凡读取文件的部分皆可用）"),
    "Column": Text("A column", "一列"),
    "Drop": Text("Rows that are dropped", "剔除的行"),
    "Joined": Text("Further files with a row a stock and day", "按股票与日期合并的其他文件"),
    "Halts": Text("Days without trading", "停牌日"),
    "Steps": Text("Step tables", "阶梯表"),
    "Intervals": Text("Intervals that become a flag", "由区间得到的标记"),
    "LevelChange": Text("Jumps of a factor's level", "复权因子的水平跳变"),
    "Rename": Text("Codes that changed", "变更的代码"),
    "RenameTable": Text("Codes that changed, as a table", "以表格给出的代码变更"),
    "Fundamentals": Text("Company figures", "财务数据"),
    "FundamentalSteps": Text("Company figures from step tables", "由阶梯表得到的财务数据"),
    "Statements": Text("Company figures from statements", "由财务报表得到的财务数据"),
    "Append": Text("How a market goes on", "数据如何续写"),
}
_WHERE = "只取这些列等于给定值的行"
_DATE_FORMAT = "日期为文本或整数且日或月在前时的写法，如%d/%m/%Y；年在前的写法都能识别"
_DROP = "剔除并计数的行"

#: Spec = key = meaning.
CHINESE: Mapping[str, Mapping[str, str]] = {
    "Mapping": {
        "name": "来源名称，出现在结果中",
        "cap": "数据中的市值是流通（float）还是总市值（total）",
        "notes": "对数据的说明，随市场数据保存",
        "symbols": "股票代码的形式；取第一个匹配的，都不匹配者须已是600000.SH的形式",
        "indices": "指数代码的形式，写法同symbols；不写则沿用symbols",
        "drop_unknown": "非A股代码（指数表中为非指数代码）的行剔除并计数，而不是拒绝",
        "renames": "变更过的代码：新旧代码的行合为一段历史",
        "rename_table": "以表格给出的代码变更",
        "tables": "各表；必须有daily",
        "fundamentals": "财务数据由何得到",
        "adjusted": "价格已复权且没有原始价格：涨跌停价与每手股数不准确，说明中会注明",
        "adjusted_volume": "用于adjusted：成交量也已复权（原始÷因子）",
        "vwap_from_prices": "用于adjusted：成交均价取（开＋高＋低＋收）÷4",
        "no_adjustment": "价格未复权且没有复权因子：收益率包含除权除息造成的下跌",
        "append": "数据如何续写",
    },
    "Pattern": {
        "pattern": "匹配整个代码的正则表达式",
        "to": "我们的形式，分组写作$1",
    },
    "TableMapping": {
        "columns": "我们的列＝对方的列名、公式或一个表",
        "where": _WHERE,
        "date_format": _DATE_FORMAT,
        "drop": "已知无用的行，逐类计数",
        "begin": "用于index_members：指数＝成分齐全的首日，更早的日期截去并计数",
        "priced_only": "没有行情的股票的行剔除并计数",
        "listed_on": "用于index_members与industry：日期列，每一天是一份完整名单；"
        "由此得到区间：自首份包含它的名单起，至下一份不含它的名单前一日",
        "joined": "用于daily：按股票与日期合并的其他文件",
        "halts": "用于daily：停牌日的表",
        "steps": "用于daily：阶梯表，取值向后沿用",
        "intervals": "用于daily：由区间得到的标记",
        "level_changes": "用于daily：复权因子无除权除息而跳变的日子",
    },
    "Origin": {
        "file": "一个文件，相对于--folder",
        "files": "文件名模式，各文件依次读为一张表：daily/*.csv；bars/{code}.csv把花括号处的内容作为code列；"
        "末尾的.*为任一种表格文件的扩展名",
        "query": "一条查询，用于sql类",
        "optional": "没有这样的文件时略去这一部分，并予说明",
        "may_lack": "文件可以没有的列：视为缺失",
        "aliases": "列名＝在文件中可能的其他名称，取第一个存在的",
        "order_by": "先按这些列（作为文本）排序；两行对同一日说法不同时，以后者为准的场合用得上",
        "must_be": "列＝每一行都必须等于的值，否则拒绝该文件",
        "sheet": "电子表格中的工作表，默认第一张",
        "skip_rows": "表头之上的行数，用于文本与电子表格",
        "wide": "宽表的日期列，其余每列是一只证券：读为长表，含code与value两列",
    },
    "Column": {
        "from": "文件或查询中的列",
        "formula": "改用对若干列的算式，如close * volume / (turn / 100)；任一列缺失或除数为0则缺失。"
        "日期视为20200102；比较式得到标记",
        "multiply": "乘以它得到我们的单位（元、股、小数）",
        "divide": "除以它得到我们的单位；除以10的幂是精确的，乘以其倒数则不是",
        "part": "取文本中该正则表达式第一个分组的内容；不匹配则缺失",
        "missing": "代表缺失的文本，如表示未来日期的2200-01-01",
        "names": "改写取值（对方＝我们）；没有列出的值是错误",
        "equals": "得到标记：值等于它",
        "matching": "得到标记：文本匹配该正则表达式，见intervals",
    },
    "Drop": {
        "column": "对方的列，作为文本",
        "matching": "匹配该正则表达式的行被剔除",
        "why": "原因，与计数一同出现",
    },
    "Joined": {
        "columns": "同表的columns；已有的列只填补缺失之处",
        "symbol": "文件或查询中的代码列",
        "date": "文件或查询中的日期列",
        "where": _WHERE,
        "drop": _DROP,
        "date_format": _DATE_FORMAT,
    },
    "Halts": {
        "symbol": "文件或查询中的代码列",
        "date": "文件或查询中的日期列",
        "where": _WHERE,
        "drop": _DROP,
        "date_format": _DATE_FORMAT,
    },
    "Steps": {
        "into": "填入daily的哪一列",
        "symbol": "文件或查询中的代码列",
        "date": "文件或查询中的日期列",
        "value": "文件或查询中的取值列",
        "where": _WHERE,
        "times": "取值再乘以daily的这一列（流通股本×收盘价＝流通市值）",
        "multiply": "乘以它得到我们的单位",
        "divide": "除以它得到我们的单位",
        "equals": "得到标记：值等于它",
        "matching": "得到标记：文本匹配该正则表达式",
        "symbols": "只用于匹配该正则表达式的代码（我们的形式）",
        "start": "只用于daily自该日起的行",
        "end": "只用于daily至该日止的行",
        "lag_days": "自其日期起几个交易日后可用；0＝当日（非交易日顺延）。adj_factor默认0，其余默认1",
        "date_format": _DATE_FORMAT,
        "before_first": "首个阶梯之前（以及没有阶梯的股票）的取值；不写则未知",
    },
    "Intervals": {
        "into": "标记：is_st或is_suspended",
        "symbol": "文件或查询中的代码列",
        "start": "起始日所在列，含当日",
        "end": "截止日所在列，含当日；没有或缺失时，至该代码下一行的前一日为止",
        "value": "与matching连用：其文本须匹配的列",
        "matching": "只取匹配该正则表达式的行；全角字符也按半角匹配。其余的行仍会终止其前的区间",
        "where": _WHERE,
        "drop": _DROP,
        "date_format": _DATE_FORMAT,
    },
    "LevelChange": {
        "column": "哪一列",
        "symbol": "代码，我们的形式",
        "date": "跳变之日",
    },
    "Rename": {
        "old": "旧代码，我们的形式",
        "new": "新代码，我们的形式",
        "date": "自何日起用新代码；不写则凡遇旧代码即改",
        "shares": "合并时一股旧股换得的新股数；变更前的复权因子据此衔接，不写则由前后行情推断",
    },
    "RenameTable": {
        "old": "旧代码所在列",
        "new": "新代码所在列",
        "date": "变更日所在列",
        "where": _WHERE,
        "date_format": _DATE_FORMAT,
    },
    "Fundamentals": {
        "steps": "阶梯表：公开已知的取值每变一次一行",
        "statements": "财务报表：每份报告一行",
    },
    "FundamentalSteps": {
        "item": "我们的项目名，如net_profit_ttm",
        "symbol": "文件或查询中的代码列",
        "date": "文件或查询中的日期列",
        "value": "文件或查询中的取值列",
        "where": _WHERE,
        "reports": "每个阶梯是一份报告，其季度由日期推断（流量与资产负债表）；随时变动者如股本写false",
        "null_is_loss": "缺失表示亏损；项目<item>_loss在该处为1，其余为0",
        "multiply": "乘以它得到我们的单位",
        "divide": "除以它得到我们的单位",
        "end": "来源所知的最后一日；其后缺失，而非永远沿用最后一个值",
        "lag_days": "自其日期起几个交易日后可用",
        "date_format": _DATE_FORMAT,
    },
    "Statements": {
        "symbol": "文件或查询中的代码列",
        "period": "报告期末所在列",
        "announced": "公告日所在列；没有或缺失时以法定披露截止日代替",
        "items": "项目（我们的名称，如net_profit_ytd）＝列，或带单位的表",
        "where": _WHERE,
        "lag_days": "公告后几个交易日可用",
        "date_format": _DATE_FORMAT,
    },
    "Append": {
        "only_new_days": "文件只含上次交付之后的日子",
    },
}
